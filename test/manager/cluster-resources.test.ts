import { expect } from 'chai'
import { type Node, withoutDetails } from '../../src/manager/cluster-resources.ts'
import { runsAgents, takesPods } from '../../src/manager/control-plane.ts'
import { nodeObject } from './simulation/embedded-cluster.ts'

const node = (more: Partial<Node> = {}): Node => {
  const { metadata, ...rest } = nodeObject('node-1', 50, 0)
  return {
    apiVersion: 'v1',
    kind: 'Node',
    ...rest,
    metadata: { ...metadata, uid: 'a', resourceVersion: '7' },
    ...more,
  } as Node
}

describe('what a manager keeps of a Node', () => {
  const rows: { what: string; given: Node }[] = [
    { what: 'a node that is ready', given: node() },
    { what: 'a node that is cordoned', given: node({ spec: { unschedulable: true } }) },
    {
      what: 'a node that is not ready',
      given: node({ status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }),
    },
    { what: 'a node without conditions', given: node({ status: {} }) },
    { what: 'a node of Windows', given: node({ metadata: { name: 'w', labels: { 'kubernetes.io/os': 'windows' } } }) },
  ]
  for (const { what, given } of rows)
    it(`says the same of ${what}`, () => {
      const kept = withoutDetails(given)
      const { name, uid, resourceVersion } = given.metadata ?? {}
      expect(kept.metadata).to.deep.include({ name, ...(uid !== undefined && { uid, resourceVersion }) })
      expect(runsAgents(kept)).to.equal(runsAgents(given))
      expect(takesPods(kept)).to.equal(takesPods(given))
    })

  it('is a small part of it', () => {
    const whole = node()
    expect(JSON.stringify(withoutDetails(whole)).length * 20).to.be.below(JSON.stringify(whole).length)
  })
})
