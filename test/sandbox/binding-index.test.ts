import { expect } from 'chai'
import type { JsonObject } from '../../src/sandbox/api-server/schema/json.ts'
import { startInProcess } from './in-process.ts'

const rbac = 'rbac.authorization.k8s.io'
const path = `/apis/${rbac}/v1`
const reader = { apiGroup: rbac, kind: 'ClusterRole', name: 'view' }

describe('who may do what, by roles', () => {
  const subjects: [title: string, subject: JsonObject, user: string, groups: string[]][] = [
    ['a user', { apiGroup: rbac, kind: 'User', name: 'jane' }, 'jane', []],
    ['a group', { apiGroup: rbac, kind: 'Group', name: 'developers' }, 'joe', ['developers']],
    [
      'a service account',
      { kind: 'ServiceAccount', name: 'bot', namespace: 'default' },
      'system:serviceaccount:default:bot',
      [],
    ],
  ]
  for (const [title, subject, name, groups] of subjects) {
    it(`follows a binding of ${title} as it comes, changes and goes`, async () => {
      const { call, server } = await startInProcess()
      const ask = async (): Promise<number> =>
        (await server.client({ name, groups })({ method: 'GET', path: '/api/v1/namespaces/default/pods' })).code
      expect(await ask()).to.equal(403)
      const bindings = `${path}/namespaces/default/rolebindings`
      const binding = { metadata: { name: 'readers' }, roleRef: reader, subjects: [subject] }
      await call('POST', bindings, binding)
      expect(await ask()).to.equal(200)
      const other = { apiGroup: rbac, kind: 'User', name: 'somebody else' }
      await call('PUT', `${bindings}/readers`, { ...binding, subjects: [other] })
      expect(await ask()).to.equal(403)
      await call('PUT', `${bindings}/readers`, binding)
      expect(await ask()).to.equal(200)
      await call('DELETE', `${bindings}/readers`)
      expect(await ask()).to.equal(403)
    })
  }

  it('still holds after a restart', async () => {
    const first = await startInProcess()
    const subject = { apiGroup: rbac, kind: 'User', name: 'jane' }
    await first.call('POST', `${path}/clusterrolebindings`, {
      metadata: { name: 'j' },
      roleRef: reader,
      subjects: [subject],
    })
    const second = await startInProcess({}, first.server.snapshot())
    const jane = second.server.client({ name: 'jane', groups: [] })
    expect((await jane({ method: 'GET', path: '/api/v1/pods' })).code).to.equal(200)
  })
})

describe('a namespace that is going away', () => {
  it('refuses objects that have no name yet, too', async () => {
    const { call } = await startInProcess()
    await call('POST', '/api/v1/namespaces', { metadata: { name: 'ending' } })
    const held = { metadata: { name: 'held', finalizers: ['varmor.test/hold'] } }
    await call('POST', '/api/v1/namespaces/ending/configmaps', held)
    await call('DELETE', '/api/v1/namespaces/ending')
    const refused = await call('POST', '/api/v1/namespaces/ending/configmaps', { metadata: { generateName: 'more-' } })
    expect(refused['message']).to.equal(
      'configmaps "more-" is forbidden: unable to create new content in namespace ending because it is being terminated',
    )
  })
})
