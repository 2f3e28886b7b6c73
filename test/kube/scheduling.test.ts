import { expect } from 'chai'
import { daemonTolerations, mayRun, type PlaceableNode, type Placement } from '../../src/kube/scheduling.ts'

const node = (labels: Record<string, string> = {}, taints: NonNullable<PlaceableNode['spec']>['taints'] = []) => ({
  metadata: { name: 'n1', labels },
  spec: { taints: taints! },
})
const affinity = (...nodeSelectorTerms: object[]): Placement => ({
  affinity: {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
  },
})
const term = (key: string, operator: string, ...values: string[]) => ({ matchExpressions: [{ key, operator, values }] })
const tainted = (key: string, effect = 'NoSchedule') => node({}, [{ key, effect, value: 'x' }])

describe('whether a pod may come to a node', () => {
  const rows: [title: string, placement: Placement, on: PlaceableNode, expected: boolean][] = [
    ['nothing is said', {}, node(), true],
    ['the node is another one', { nodeName: 'n2' }, node(), false],
    ['a label is missing', { nodeSelector: { a: 'b' } }, node({ a: 'c' }), false],
    ['the labels are there', { nodeSelector: { a: 'b' } }, node({ a: 'b', c: 'd' }), true],
    ['a taint keeps it away', {}, tainted('t'), false],
    ['a taint only advises', {}, tainted('t', 'PreferNoSchedule'), true],
    ['it tolerates the taint', { tolerations: [{ key: 't', value: 'x' }] }, tainted('t'), true],
    ['it tolerates another value', { tolerations: [{ key: 't', value: 'y' }] }, tainted('t'), false],
    ['it tolerates all', { tolerations: [{ operator: 'Exists' }] }, tainted('t'), true],
    [
      'it tolerates another effect',
      { tolerations: [{ key: 't', operator: 'Exists', effect: 'NoExecute' }] },
      tainted('t'),
      false,
    ],
    ['one of two terms is met', affinity(term('a', 'In', 'x'), term('b', 'Exists')), node({ b: '1' }), true],
    ['no term is met', affinity(term('a', 'In', 'x'), term('b', 'DoesNotExist')), node({ b: '1' }), false],
    ['a term is empty', affinity({}), node(), false],
    ['a number is greater', affinity(term('n', 'Gt', '5')), node({ n: '10' }), true],
    ['a number is not smaller', affinity(term('n', 'Lt', '5')), node({ n: '10' }), false],
    ['a value is excluded', affinity(term('a', 'NotIn', 'x')), node({ a: 'x' }), false],
    [
      'the node is named by a field',
      affinity({ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }),
      node(),
      true,
    ],
  ]
  for (const [title, placement, on, expected] of rows)
    it(`${title}: ${expected}`, () => expect(mayRun(placement, on)).to.equal(expected))

  it("a daemon comes in spite of a node's own troubles", () => {
    const troubled = tainted('node.kubernetes.io/not-ready', 'NoExecute')
    expect(mayRun({}, troubled)).to.equal(false)
    expect(mayRun({}, troubled, daemonTolerations)).to.equal(true)
  })
})
