import { expect } from 'chai'
import fc from 'fast-check'
import { profileIdOf } from '../../actors/policy/policy-id.ts'
import { CompiledSelector } from '../../src/api/label-selector.ts'
import { targetKinds } from '../../src/api/schema/policy.ts'
import type { AnyPolicy, LabelSelector } from '../../src/api/types.ts'
import { byPrecedence, indexedPolicy, policyKey } from '../../src/manager/admission/indexed-policy.ts'
import { PolicyIndex, type Workload } from '../../src/manager/admission/policy-index.ts'
import { arbitraryLabels, arbitraryPolicy, arbitrarySelector, policy } from './made-up.ts'

const workload = fc.record({
  kind: fc.constantFrom(...targetKinds),
  namespace: fc.constantFrom('demo', 'other', 'third'),
  name: fc.constantFrom('web', 'db', ''),
  labels: arbitraryLabels,
})

/** The expected answer of the index, from a check of every policy. */
function naive(policies: Iterable<AnyPolicy>, { kind, namespace, name, labels }: Workload): string | undefined {
  const entries = [...policies].map((each) => indexedPolicy(each, (id) => profileIdOf(id, 'varmor').name)!)
  const matching = entries.filter(
    (each) =>
      each.targetKind === kind &&
      (each.kind === 'VarmorClusterPolicy' || each.namespace === namespace) &&
      (each.targetName === undefined ? each.selector!.matches(labels) : each.targetName === name),
  )
  const scope = (wanted: string) => matching.filter((each) => each.kind === wanted).sort(byPrecedence)[0]
  return (scope('VarmorClusterPolicy') ?? scope('VarmorPolicy'))?.key
}

describe('the index of targets', () => {
  it('finds what a look at every policy finds, after any changes', () => {
    const change = fc.record({ policy: arbitraryPolicy, remove: fc.boolean() })
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 30 }),
        fc.array(workload, { minLength: 1, maxLength: 10 }),
        (changes, asked) => {
          const index = new PolicyIndex()
          const stored = new Map<string, AnyPolicy>()
          for (const { policy, remove } of changes) {
            const key = policyKey(policy)
            if (remove) {
              index.delete(key)
              stored.delete(key)
            } else {
              index.set(policy)
              stored.set(key, policy)
            }
            for (const each of asked) expect(index.find(each)?.key).to.equal(naive(stored.values(), each))
          }
          expect(index.size).to.equal(stored.size)
          for (const key of stored.keys()) index.delete(key)
          for (const each of asked) expect(index.find(each)).to.equal(undefined)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('knows which selector lets through only what another one lets through', () => {
    fc.assert(
      fc.property(arbitrarySelector, arbitrarySelector, arbitraryLabels, (one, other, labels) => {
        const [narrow, wide] = [new CompiledSelector(one), new CompiledSelector(other)]
        fc.pre(narrow.implies(wide) && narrow.matches(labels))
        expect(wide.matches(labels)).to.equal(true)
      }),
    )
  })

  const rows: { selector: LabelSelector; labels: Record<string, string>; matches: boolean }[] = [
    { selector: {}, labels: {}, matches: true },
    { selector: { matchLabels: { app: 'web' } }, labels: { app: 'web', tier: 'a' }, matches: true },
    { selector: { matchLabels: { app: 'web' } }, labels: {}, matches: false },
    { selector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, labels: {}, matches: true },
    { selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, labels: { app: '' }, matches: true },
    { selector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, labels: { app: '' }, matches: false },
    { selector: { matchExpressions: [{ key: 'toString', operator: 'Exists' }] }, labels: {}, matches: false },
  ]
  for (const { selector, labels, matches } of rows)
    it(`${JSON.stringify(selector)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(labels)}`, () => {
      expect(new CompiledSelector(selector).matches(labels)).to.equal(matches)
    })

  const asked: Workload = { kind: 'Deployment', namespace: 'demo', name: 'web', labels: { app: 'web' } }

  it('prefers a cluster policy, then the oldest, then the first by name', () => {
    const index = new PolicyIndex()
    const winner = () => index.find(asked)?.key
    index.set(policy({ name: 'b', createdAt: '2026-01-02T00:00:00Z' }))
    expect(winner()).to.equal('VarmorPolicy/demo/b')
    index.set(policy({ name: 'a', createdAt: '2026-01-02T00:00:00Z' }))
    expect(winner()).to.equal('VarmorPolicy/demo/a')
    index.set(policy({ name: 'z', createdAt: '2026-01-01T00:00:00Z', target: { kind: 'Deployment', name: 'web' } }))
    expect(winner()).to.equal('VarmorPolicy/demo/z')
    index.set(policy({ cluster: true, name: 'c', createdAt: '2026-03-01T00:00:00Z' }))
    expect(winner()).to.equal('VarmorClusterPolicy//c')
    index.delete('VarmorClusterPolicy//c')
    expect(winner()).to.equal('VarmorPolicy/demo/z')
  })

  it('confines nothing by a policy that is being deleted, or whose enforcers make no sense', () => {
    const index = new PolicyIndex()
    const stored = policy()
    index.set(stored)
    index.set({ ...stored, metadata: { ...stored.metadata, deletionTimestamp: '2026-01-03T00:00:00Z' } } as AnyPolicy)
    index.set(policy({ name: 'other', enforcer: 'AppArmour' }))
    index.set({ ...stored, metadata: { name: 'bare' }, spec: {} } as AnyPolicy)
    expect(index.find(asked)).to.equal(undefined)
    expect(index.size).to.equal(0)
  })

  it('looks at few policies also where all share a label', () => {
    const index = new PolicyIndex()
    for (let i = 0; i < 5000; i++)
      index.set(
        policy({
          name: `p${i}`,
          target: { kind: 'Deployment', selector: { matchLabels: { common: 'x', app: `a${i}` } } },
        }),
      )
    let looked = 0
    const labels = new Proxy<Record<string, string>>(
      { common: 'x', app: 'a4321' },
      {
        getOwnPropertyDescriptor: (target, key) => {
          looked++
          return Reflect.getOwnPropertyDescriptor(target, key)
        },
      },
    )
    expect(index.find({ ...asked, labels })?.name).to.equal('p4321')
    expect(looked).to.be.lessThan(20)
  })
})
