import { expect } from 'chai'
import { type IpOwner, Slimmer } from '../../../src/manager/egress/ip-owner.ts'

describe('labels of objects with addresses', () => {
  it('are kept once for a bounded number of them: beyond it, all are kept again', () => {
    const slimmer = new Slimmer()
    const labelsOf = (app: string) =>
      slimmer.pod({ metadata: { name: 'x', labels: { app } } } as unknown as IpOwner).metadata!.labels
    const first = labelsOf('a0')
    for (let i = 1; i < 20_000; i++) labelsOf(`a${i}`)
    expect(labelsOf('a0'), 'there is room').to.equal(first)
    labelsOf('one more')
    const again = labelsOf('a0')
    expect(again).to.not.equal(first)
    expect(again).to.deep.equal(first)
  })
})
