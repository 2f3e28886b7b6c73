import { expect } from 'chai'
import { isAnotherBoot, isAnotherNode, type Node, withoutDetails } from '../../src/manager/cluster-resources.ts'
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

  const boots: { what: string; from: string | undefined; to: string | undefined; is: boolean }[] = [
    { what: 'goes on', from: 'x', to: 'x', is: false },
    { what: 'was restarted', from: 'x', to: 'y', is: true },
    { what: 'says its boot for the first time', from: undefined, to: 'x', is: false },
    { what: 'does not say it any more', from: 'x', to: '', is: false },
    { what: 'says more than an id', from: 'x', to: 'y'.repeat(100_000), is: false },
  ]
  for (const { what, from, to, is } of boots)
    it(`tells whether it is another boot, of a node that ${what}`, () => {
      const at = (bootID: string | undefined): Node =>
        withoutDetails(node({ status: { ...(bootID !== undefined && { nodeInfo: { bootID } }) } }))
      expect(isAnotherBoot(at(from), at(to))).to.equal(is)
      expect(JSON.stringify(at(to)).length).to.be.below(1000)
      expect(isAnotherNode(at(from), at(to))).to.equal(false)
      expect(isAnotherNode(at(from), { ...at(to), metadata: { name: 'node-1', uid: 'b' } })).to.equal(true)
    })

  it('is a small part of it', () => {
    const whole = node()
    expect(JSON.stringify(withoutDetails(whole)).length * 20).to.be.below(JSON.stringify(whole).length)
  })
})
