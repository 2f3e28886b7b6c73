import { Environment } from '@marcbachmann/cel-js'
import { expect } from 'chai'
import type { KubeObject } from '../../src/kube/objects.ts'
import { profileErrors } from '../../src/manager/admission/validate-profile.ts'
import { webhookConfigurations } from '../../src/manager/admission/webhook-configurations.ts'

const manager = 'system:serviceaccount:varmor:varmor-manager'
const label = 'varmor.org/made-by'
const owner = { apiVersion: 'crd.varmor.org/v1beta1', kind: 'VarmorPolicy', name: 'web', uid: 'u', controller: true }
const stored = (): KubeObject & { spec: { profile: { name: string } } } => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'ArmorProfile',
  metadata: {
    ...{ name: 'varmor-demo-web', namespace: 'demo', finalizers: ['varmor.org/ap-protection'] },
    labels: { [label]: 'varmor-manager' },
    ownerReferences: [owner],
  },
  spec: { profile: { name: 'varmor-demo-web' } },
})

describe('the validation of ArmorProfiles', () => {
  const rows: { title: string; change: (object: ReturnType<typeof stored>) => unknown; refused: string[] }[] = [
    { title: 'its spec', change: ({ spec }) => Object.assign(spec.profile, { name: 'x' }), refused: ['spec'] },
    {
      title: 'that it is a manager’s',
      change: ({ metadata }) => Object.assign(metadata!.labels!, { [label]: 'me' }),
      refused: ['metadata.labels'],
    },
    {
      title: 'whose it is',
      change: ({ metadata }) => void metadata!.ownerReferences!.push({ ...owner, uid: 'other' }),
      refused: ['metadata.ownerReferences'],
    },
    {
      title: 'the addresses that nodes enforce',
      change: (object) => Object.assign(object, { status: { egress: [] } }),
      refused: ['status'],
    },
    {
      title: 'the rest of its status',
      change: (object) => Object.assign(object, { status: { currentNumberLoaded: 7 } }),
      refused: ['status'],
    },
    { title: 'nothing', change: () => undefined, refused: [] },
    {
      title: 'a label of their own',
      change: ({ metadata }) => Object.assign(metadata!.labels!, { team: 'a' }),
      refused: [],
    },
    { title: 'its finalizers', change: ({ metadata }) => Object.assign(metadata!, { finalizers: [] }), refused: [] },
    {
      title: 'what the garbage collector changes',
      change: ({ metadata }) =>
        Object.assign(metadata!, { ownerReferences: [{ ...owner, blockOwnerDeletion: false }] }),
      refused: [],
    },
    {
      title: 'away whose it is',
      change: ({ metadata }) => Object.assign(metadata!, { ownerReferences: [] }),
      refused: [],
    },
  ]
  for (const { title, change, refused } of rows)
    it(`${refused.length > 0 ? 'keeps users from changing' : 'lets users change'} ${title}; a manager changes it all`, () => {
      const object = stored()
      change(object)
      const request = { operation: 'UPDATE', object, oldObject: stored() } as const
      const errors = (username: string) => profileErrors({ ...request, userInfo: { username } }, [manager])
      expect(errors('tenant').map(({ path }) => path)).to.deep.equal(refused)
      expect(errors(manager)).to.deep.equal([])
    })

  it('lets only managers create an ArmorProfile; agents may not', () => {
    const request = { operation: 'CREATE', object: stored(), oldObject: null } as const
    for (const username of ['tenant', 'system:serviceaccount:varmor:varmor-agent', undefined]) {
      const [error] = profileErrors({ ...request, userInfo: username === undefined ? {} : { username } }, [manager])
      expect(error).to.include({ code: 'NOT_ALLOWED', path: 'spec', allowed: manager })
    }
    expect(profileErrors({ ...request, userInfo: { username: manager } }, [manager])).to.deep.equal([])
  })

  it('lets anybody let go of one that is being deleted, so that namespaces go; but not say that another profile goes', () => {
    const object = stored()
    object.metadata = { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: [] }
    const request = { operation: 'UPDATE', object, oldObject: stored(), userInfo: { username: 'tenant' } } as const
    expect(profileErrors(request, [manager])).to.deep.equal([])
    object.spec.profile.name = 'varmor-other-web'
    Object.assign(object, { status: { egress: [] } })
    expect(profileErrors(request, [manager]).map(({ path }) => path)).to.deep.equal(['spec', 'status'])
  })

  it('has a webhook for all clients except managers if the managers’ users are known', () => {
    const reach = { url: 'https://127.0.0.1:3443' }
    const names = (writers?: string[]) =>
      webhookConfigurations({ reach, profileWriters: writers }).validating.webhooks!.map(({ name }) => name)
    expect(names()).to.deep.equal(['validatepolicy.varmor.org'])
    expect(names([manager])).to.deep.equal(['validatepolicy.varmor.org', 'validateprofile.varmor.org'])
    const [, webhook] = webhookConfigurations({ reach, profileWriters: [manager] }).validating.webhooks!
    expect(webhook!['matchConditions']).to.deep.equal([
      { name: 'not-a-manager', expression: `!(request.userInfo.username in ["${manager}"])` },
      {
        name: 'stays-or-changes',
        expression:
          '(has(request.subResource) && request.subResource != "") || !has(object.metadata.deletionTimestamp) || object.spec != oldObject.spec',
      },
    ])
    expect(webhook!['failurePolicy']).to.equal('Ignore')
    const [rule] = webhook!['rules'] as { resources: string[] }[]
    expect(rule!.resources).to.have.members(['armorprofiles', 'armorprofiles/status', 'armorprofilemodels/status'])
    const asks = (username: string, metadata: object, more: object = { spec: 1 }, subResource = ''): boolean => {
      const server = new Environment()
      for (const name of ['request', 'object', 'oldObject']) server.registerVariable(name, 'dyn')
      const request = { userInfo: { username }, ...(subResource !== '' && { subResource }) }
      const oldObject = { metadata, spec: 1 }
      const conditions = webhook!['matchConditions'] as { expression: string }[]
      return conditions.every(({ expression }) =>
        server.evaluate(expression, { request, object: { metadata, ...more }, oldObject }),
      )
    }
    const going = { deletionTimestamp: '2026-01-01T00:00:00Z' }
    expect(asks('tenant', {})).to.equal(true)
    expect(asks(manager, {})).to.equal(false)
    expect(asks('tenant', going)).to.equal(false)
    expect(asks('tenant', going, { spec: 2 })).to.equal(true)
    // A model has no spec.
    for (const metadata of [{}, going]) expect(asks('tenant', metadata, { data: {} }, 'status')).to.equal(true)
  })
})
