import { expect } from 'chai'
import { podParts } from '../../src/confinement/pod-parts.ts'
import { switchedOff } from '../../src/confinement/profile-annotations.ts'
import type { AdmissionRequest } from '../../src/kube/admission.ts'
import { indexedPolicy } from '../../src/manager/admission/indexed-policy.ts'
import { PolicyIndex } from '../../src/manager/admission/policy-index.ts'
import { Reviewer } from '../../src/manager/admission/reviewer.ts'
import { TargetBuckets } from '../../src/manager/admission/target-buckets.ts'
import { type ValidateOptions, validate } from '../../src/manager/admission/validate.ts'
import { profileErrors } from '../../src/manager/admission/validate-profile.ts'
import { deployment, modern, policy } from './made-up.ts'
import { kubernetes, mutated, own } from './mutated.ts'

const manager = 'system:serviceaccount:varmor:varmor-manager'
const tenant = { username: 'tenant' }
const going = { deletionTimestamp: '2026-01-01T00:00:00Z' }
const profile = (metadata: object = {}, more: object = {}) =>
  ({ kind: 'ArmorProfile', metadata: { name: 'x', ...metadata }, spec: { a: 1 }, ...more }) as never

describe('what decides about an admission', () => {
  const ofProfiles: {
    title: string
    operation: 'CREATE' | 'UPDATE' | 'DELETE'
    object: unknown
    oldObject: unknown
    refused: string[]
  }[] = [
    { title: 'a deletion', operation: 'DELETE', object: null, oldObject: profile(), refused: [] },
    { title: 'a creation', operation: 'CREATE', object: profile(), oldObject: null, refused: ['spec'] },
    {
      title: 'a creation with an old object',
      operation: 'CREATE',
      object: profile(),
      oldObject: profile(),
      refused: ['spec'],
    },
    {
      title: 'a change of an unknown object',
      operation: 'UPDATE',
      object: profile(),
      oldObject: null,
      refused: ['spec'],
    },
    {
      title: 'other labels and owners of one that is being deleted',
      operation: 'UPDATE',
      object: profile({ ...going, labels: { 'varmor.org/made-by': 'me' }, ownerReferences: [{ name: 'x', uid: 'u' }] }),
      oldObject: profile(going),
      refused: [],
    },
  ]
  for (const { title, refused, ...request } of ofProfiles)
    it(`of a tenant’s ArmorProfile: ${title}`, () => {
      const errors = profileErrors({ ...request, userInfo: tenant } as never, [manager])
      expect(errors.map(({ path }) => path)).to.deep.equal(refused)
    })

  const kinds: { kind: string; subResource?: string; refused: boolean }[] = [
    { kind: 'ArmorProfile', refused: true },
    { kind: 'ArmorProfile', subResource: 'status', refused: true },
    { kind: 'ArmorProfileModel', subResource: 'status', refused: true },
    { kind: 'ArmorProfileModel', refused: false },
    { kind: 'Other', subResource: 'status', refused: false },
    { kind: 'Other', refused: false },
  ]
  for (const { kind, subResource, refused } of kinds)
    it(`is its kind: a tenant ${refused ? 'may not' : 'may'} write ${kind} ${subResource ?? ''}`, async () => {
      const request = {
        kind: { group: 'crd.varmor.org', version: 'v1beta1', kind },
        ...({ operation: 'CREATE', object: profile(), oldObject: null, userInfo: tenant } as const),
        ...(subResource !== undefined && { subResource }),
      } as const
      const options: ValidateOptions = {
        judge: () => Promise.reject(new Error('it is not a policy')),
        ...{ behaviorModeling: false, profileWriters: [manager], caller: {}, index: new PolicyIndex() },
      }
      expect((await validate(request, options)).count > 0).to.equal(refused)
    })

  const targets: { title: string; target: object; indexed: boolean }[] = [
    { title: 'a name', target: { kind: 'Deployment', name: 'web' }, indexed: true },
    { title: 'a selector', target: { kind: 'Deployment', selector: {} }, indexed: true },
    { title: 'a selector and an empty name', target: { kind: 'Deployment', name: '', selector: {} }, indexed: true },
    { title: 'neither', target: { kind: 'Deployment' }, indexed: false },
    { title: 'an empty name', target: { kind: 'Deployment', name: '' }, indexed: false },
    { title: 'both', target: { kind: 'Deployment', name: 'web', selector: {} }, indexed: false },
    { title: 'a kind that has no pods', target: { kind: 'Service', name: 'web' }, indexed: false },
  ]
  for (const { title, target, indexed } of targets)
    it(`is a target with ${title}: a policy ${indexed ? 'confines' : 'confines nothing'}`, () => {
      const given = policy({ target: target as never })
      expect(indexedPolicy(given, () => 'varmor-x') !== undefined).to.equal(indexed)
      const index = new PolicyIndex()
      index.set(given)
      expect(index.size).to.equal(indexed ? 1 : 0)
    })

  it('is text alone: a policy whose enforcer is an object confines nothing', () => {
    const given = policy({ spec: { enforcer: { toString: {} } } as never })
    expect(indexedPolicy(given, () => 'varmor-x')).to.equal(undefined)
  })

  it('are containers with a name alone, whatever else a pod lists', () => {
    const containers = [{ name: 'a' }, null, 5, 'text', [], {}, { name: 7 }, { name: 'b' }]
    const found = podParts({ spec: { containers } }, '')!.containers
    expect(found.map(({ name, path }) => [name, path])).to.deep.equal([
      ['a', '/spec/containers/0/securityContext'],
      ['b', '/spec/containers/7/securityContext'],
    ])
  })

  it('are all policies of a profile, not the last one alone', () => {
    const index = new PolicyIndex(() => 'varmor-shared')
    index.set(policy({ namespace: 'one', name: 'web' }))
    index.set(policy({ namespace: 'two', name: 'web' }))
    const found = () => ['one', 'two'].map((namespace) => index.byProfile('varmor-shared', namespace)?.namespace)
    expect(found()).to.deep.equal(['one', 'two'])
    index.delete('VarmorPolicy/two/web')
    expect(found()).to.deep.equal(['one', undefined])
  })

  it('are policies that a workload leads to, also once the last of others has gone from their places', () => {
    const buckets = new TargetBuckets()
    const entry = (name: string, values: string[]) =>
      indexedPolicy(
        policy({
          name,
          target: {
            kind: 'Deployment',
            selector: { matchExpressions: [{ key: 'app', operator: 'In', values }] },
          },
        }),
        () => `varmor-${name}`,
      )!
    const [one, other] = [entry('one', ['web', 'db']), entry('other', ['web'])]
    buckets.add(one)
    buckets.add(other)
    buckets.remove(other)
    expect(buckets.find('', { app: 'web' })).to.equal(one)
    buckets.remove(one)
    expect([...buckets.values()]).to.deep.equal([])
  })

  it('is who makes pods, for the warning that a cluster policy has priority', () => {
    const index = new PolicyIndex()
    const selector = { matchLabels: { app: 'web' } }
    for (const kind of ['Pod', 'Deployment'] as const)
      index.set(policy({ cluster: true, name: kind.toLowerCase(), target: { kind, selector } }))
    const names = (target: object) =>
      index.shadowingByMakers(policy({ target: target as never })).map(({ name }) => name)
    expect(names({ kind: 'Pod', selector })).to.deep.equal(['deployment'])
    expect(names({ kind: 'Pod', name: 'web' })).to.deep.equal([])
    expect(names({ kind: 'Deployment', selector })).to.deep.equal([])
  })

  const leftovers: { title: string; ours: string; theirs: string; left: Record<string, string> }[] = [
    { title: 'that we had written, goes', ours: switchedOff('varmor-demo-web'), theirs: 'unconfined', left: {} },
    {
      title: 'that another one had written beside our profile, stays',
      ours: 'localhost/varmor-demo-web',
      theirs: 'unconfined',
      left: { [kubernetes]: 'unconfined' },
    },
    {
      title: 'that the user has chosen since, stays',
      ours: switchedOff('varmor-demo-web'),
      theirs: 'runtime/default',
      left: { [kubernetes]: 'runtime/default' },
    },
  ]
  for (const { title, ours, theirs, left } of leftovers)
    it(`is whose a setting is: Kubernetes’ annotation ${title}`, () => {
      const object = deployment({ annotations: { [own('apparmor')]: ours, [kubernetes]: theirs } })
      const { metadata } = mutated(object, new PolicyIndex(), modern, { operation: 'UPDATE' })
      expect(metadata.annotations).to.deep.equal(left)
    })

  it('is that a policy is made: it gets our finalizer, and a change of it nothing', async () => {
    const reviewer = new Reviewer({
      ...{ index: new PolicyIndex(), isSynced: () => true, mutate: modern },
      validate: { behaviorModeling: false, judge: () => Promise.reject(new Error('not asked')) },
    })
    const patchOf = async (operation: AdmissionRequest['operation']): Promise<unknown> => {
      const object = policy()
      const request = {
        ...{ uid: 'u', operation, object, oldObject: null, userInfo: tenant, namespace: 'demo', name: 'web' },
        kind: { group: 'crd.varmor.org', version: 'v1beta1', kind: object.kind },
        resource: { group: 'crd.varmor.org', version: 'v1beta1', resource: 'varmorpolicies' },
      }
      const answer = await reviewer.mutate(
        JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }),
      )
      if (answer.status !== 200) throw new Error(answer.message)
      const { patch } = answer.review.response
      return patch === undefined ? [] : JSON.parse(Buffer.from(patch, 'base64').toString())
    }
    const path = '/metadata/finalizers'
    expect(await patchOf('CREATE'))
      .to.have.nested.property('[0].path')
      .that.satisfies((one: string) => one.startsWith(path))
    expect(await patchOf('UPDATE')).to.deep.equal([])
  })
})
