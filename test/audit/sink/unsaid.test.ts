import { expect } from 'chai'
import type { Statement } from '../../../src/audit/sink/agent-events.ts'
import { Unsaid } from '../../../src/audit/sink/unsaid.ts'

interface HeldBack {
  events: number
  from: string
  to: string
  other: number
}
const heldBackOf = ({ about }: Statement): HeldBack => about['heldBack'] as HeldBack
const sumOf = (counts: readonly Statement[]): number => counts.reduce((sum, one) => sum + heldBackOf(one).events, 0)

function statement(i: number, more: Partial<Statement> = {}): Statement {
  const [from, to] = [i, i + 1].map((seconds) => new Date(seconds * 1_000).toISOString())
  const kinds = [{ enforcer: 'AppArmor', action: '', profileName: 'p', operation: 'open', object: `/${i}`, events: 2 }]
  return {
    source: `source ${i % 2}`,
    message: 'held back ended',
    about: { heldBack: { where: 'sink', events: 2, from, to, kinds, other: 0 } },
    container: { containerID: `${i}`, containerName: 'c', image: '', podName: '', podNamespace: '', podUID: '' },
    ...more,
  }
}

describe('counts that wait for their line', () => {
  it('are merged from 4,096 on, while the disk takes no lines, and keep their sum', async () => {
    const unsaid = new Unsaid(() => undefined)
    for (let i = 0; i < 4_096; i++) unsaid.owe(statement(i))
    expect(unsaid.take()).to.have.length(4_096)
    const said: number[] = []
    for (let i = 0; i < 100_000; i++)
      if (i % 10 === 0) {
        const kernel = { key: `key ${i % 50}`, held: i }
        unsaid.owe(statement(i, { source: '', kernel }), () => void said.push(i))
      } else unsaid.owe(statement(i))
    const counts = unsaid.take()
    expect(counts.length).to.be.below(4_200)
    expect(sumOf(counts)).to.equal(200_000)
    const first = counts.find(({ source }) => source === 'source 1')!
    expect(heldBackOf(first).from).to.equal(new Date(1_000).toISOString())
    expect(first).not.to.have.property('container')
    for (const count of counts) await unsaid.said(count)
    // The last count of each key is noted.
    for (const key of [0, 10, 20, 30, 40]) expect(said).to.include(99_950 + key)
    expect(counts.filter(({ kernel }) => kernel !== undefined).map(({ kernel }) => kernel!.held)).to.include(99_990)
    expect(said.length).to.be.below(1_000)
  })
})
