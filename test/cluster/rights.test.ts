import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { servedRequests } from './audit-log.ts'
import { type Right, refused, rightsOf, unusedRights } from './rights.ts'

const user = 'system:serviceaccount:varmor:varmor-manager'
const event = (verb: string, objectRef: object, code = 200, decision = 'allow'): string =>
  `${JSON.stringify({ verb, user: { username: user }, objectRef, responseStatus: { code }, annotations: { 'authorization.k8s.io/decision': decision } })}\n`

describe('the rights that are taken, by the log of the API server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-rights-'))
  const log = join(folder, 'audit.log')
  after(() => rmSync(folder, { recursive: true }))

  const rights: Right[] = [
    ...rightsOf({
      ...{ apiVersion: 'v1', kind: 'ClusterRole', metadata: { name: 'c' } },
      rules: [
        { apiGroups: ['apps'], resources: ['deployments'], verbs: ['list', 'create'] },
        { apiGroups: ['crd.varmor.org'], resources: ['varmorpolicies/status'], verbs: ['update'] },
      ],
    }),
    ...rightsOf({
      ...{ apiVersion: 'v1', kind: 'Role', metadata: { name: 'r', namespace: 'varmor' } },
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'], resourceNames: ['a', 'b'] }],
    }),
  ]
  const taken = (...events: string[]): { unused: string[]; refused: string[] } => {
    // The last line is incomplete.
    writeFileSync(log, `${events.join('')}{"ver`)
    const requests = servedRequests(log)
    return { unused: unusedRights(rights, requests), refused: refused(rights, requests) }
  }

  it('are each of their own: by verb, subresource, name and namespace', () => {
    const policy = { apiGroup: 'crd.varmor.org', resource: 'varmorpolicies', namespace: 'x', name: 'p' }
    expect(
      taken(
        event('list', { apiGroup: 'apps', resource: 'deployments' }),
        event('update', policy),
        event('get', { resource: 'secrets', namespace: 'varmor', name: 'a' }),
        event('get', { resource: 'secrets', namespace: 'other', name: 'b' }),
      ).unused,
    ).to.deep.equal([
      'create deployments.apps',
      'update varmorpolicies/status.crd.varmor.org',
      'get secrets b in varmor',
    ])
  })

  it('are those to create and to patch, where a patch made the object', () => {
    const target = { apiGroup: 'apps', resource: 'deployments', namespace: 'x', name: 'd' }
    expect(taken(event('patch', target)).unused).to.include('create deployments.apps')
    expect(taken(event('patch', target, 201)).unused).not.to.include('create deployments.apps')
  })

  it('are missing for what is refused, but not while the server has not read the roles', () => {
    const secret = (name: string): string =>
      event('get', { resource: 'secrets', namespace: 'varmor', name }, 403, 'forbid')
    expect(taken(secret('a'), secret('c'), secret('c')).refused).to.deep.equal(['get secrets c in varmor'])
  })
})
