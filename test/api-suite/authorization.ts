import { expect } from 'chai'
import { eventually } from '../cluster/wait.ts'
import { Api, type Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { configMap } from './samples.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'

const rbac = 'rbac.authorization.k8s.io/v1'
const reviews = '/apis/authorization.k8s.io/v1'

/** What a caller may: roles, their bindings, and the words of a refusal. */
export function authorization(target: Target): void {
  describe('authorization', () => {
    const scope = useScope(target)
    let bot: Api
    const user = (): string => `system:serviceaccount:${scope.namespace}:bot`
    const subject = (): Json => ({ kind: 'ServiceAccount', name: 'bot', namespace: scope.namespace })

    before(async () => {
      await scope.api.create(scope.core('serviceaccounts'), { metadata: { name: 'bot' } })
      const { body } = await scope.api.post(`${scope.core('serviceaccounts', 'bot')}/token`, { spec: {} })
      bot = Api.withToken(scope.target, body.status.token)
      scope.atEnd(() => bot.close())
      await scope.api.create(scope.core('configmaps'), configMap('named'))
      await scope.api.create(scope.group(rbac, 'roles'), {
        metadata: { name: 'reader' },
        rules: [
          { apiGroups: [''], resources: ['pods', 'serviceaccounts'], verbs: ['get', 'list', 'watch'] },
          { apiGroups: [''], resources: ['configmaps'], resourceNames: ['named'], verbs: ['get', 'patch'] },
          { apiGroups: ['apps'], resources: ['deployments/scale'], verbs: ['*'] },
        ],
      })
      await scope.api.create(scope.group(rbac, 'rolebindings'), {
        metadata: { name: 'reader' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
        subjects: [subject()],
      })
      await eventually('the binding to be known', async () => (await bot.get(scope.core('pods'))).status === 200)
    })

    interface Row {
      title: string
      call: () => Promise<{ status: number; text: string; body: Json; headers: Record<string, string> }>
      /** The words after "is forbidden: User "…" "; undefined if it is allowed. */
      refusal?: string
      /** The words before, and what details name. */
      what?: string
      details?: Json
    }
    const here = (): string => ` in the namespace "${scope.namespace}"`
    const rows: Row[] = [
      { title: 'list what its role lists', call: () => bot.get(scope.core('pods')) },
      { title: 'get what its role names', call: () => bot.get(scope.core('configmaps', 'named')) },
      {
        title: 'get another of that resource',
        call: () => bot.get(scope.core('configmaps', 'other')),
        what: 'configmaps "other"',
        refusal: 'cannot get resource "configmaps" in API group ""',
        details: { name: 'other', kind: 'configmaps' },
      },
      {
        title: 'list a resource of which it may get one',
        call: () => bot.get(scope.core('configmaps')),
        what: 'configmaps',
        refusal: 'cannot list resource "configmaps" in API group ""',
        details: { kind: 'configmaps' },
      },
      {
        title: 'create',
        call: () => bot.post(scope.core('pods'), {}),
        what: 'pods',
        refusal: 'cannot create resource "pods" in API group ""',
        details: { kind: 'pods' },
      },
      {
        title: 'delete',
        call: () => bot.delete(scope.core('pods', 'x')),
        what: 'pods "x"',
        refusal: 'cannot delete resource "pods" in API group ""',
        details: { name: 'x', kind: 'pods' },
      },
      {
        title: 'delete a collection',
        call: () => bot.delete(scope.core('pods')),
        what: 'pods',
        refusal: 'cannot deletecollection resource "pods" in API group ""',
        details: { kind: 'pods' },
      },
      {
        title: 'replace',
        call: () => bot.put(scope.core('pods', 'x'), {}),
        what: 'pods "x"',
        refusal: 'cannot update resource "pods" in API group ""',
        details: { name: 'x', kind: 'pods' },
      },
      {
        title: 'patch',
        call: () => bot.patch('merge', scope.core('pods', 'x'), {}),
        what: 'pods "x"',
        refusal: 'cannot patch resource "pods" in API group ""',
        details: { name: 'x', kind: 'pods' },
      },
      {
        title: 'watch',
        call: () => bot.get(`${scope.core('secrets')}?watch=true`),
        what: 'secrets',
        refusal: 'cannot watch resource "secrets" in API group ""',
        details: { kind: 'secrets' },
      },
      {
        title: 'read a subresource',
        call: () => bot.get(scope.core('pods', 'x/log')),
        what: 'pods "x"',
        refusal: 'cannot get resource "pods/log" in API group ""',
        details: { name: 'x', kind: 'pods' },
      },
      {
        title: 'touch another group',
        call: () => bot.get(scope.group('apps/v1', 'deployments', 'x')),
        what: 'deployments.apps "x"',
        refusal: 'cannot get resource "deployments" in API group "apps"',
        details: { name: 'x', group: 'apps', kind: 'deployments' },
      },
    ]
    for (const { title, call, refusal, what, details } of rows) {
      it(refusal === undefined ? `a bound account may ${title}` : `it may not ${title}`, async () => {
        const reply = await call()
        if (refusal === undefined) expect(reply.status, reply.text).to.equal(200)
        else {
          const message = `${what} is forbidden: User "${user()}" ${refusal}${here()}`
          expectFailure(reply, { code: 403, reason: 'Forbidden', message, details })
        }
      })
    }

    it('a role of one namespace says nothing of all', async () => {
      expectFailure(await bot.get('/api/v1/pods'), {
        code: 403,
        reason: 'Forbidden',
        message: `pods is forbidden: User "${user()}" cannot list resource "pods" in API group "" at the cluster scope`,
      })
      expectFailure(await bot.get('/api/v1/nodes/x'), {
        code: 403,
        reason: 'Forbidden',
        message: `nodes "x" is forbidden: User "${user()}" cannot get resource "nodes" in API group "" at the cluster scope`,
      })
    })

    it('a refusal comes before the look whether there is such a kind', async () => {
      const reply = await bot.get('/apis/nowhere.test/v1/things')
      expectFailure(reply, {
        code: 403,
        reason: 'Forbidden',
        message: `things.nowhere.test is forbidden: User "${user()}" cannot list resource "things" in API group "nowhere.test" at the cluster scope`,
      })
    })

    it('everybody who has a name may ask what there is', async () => {
      for (const path of ['/api', '/apis', '/api/v1', '/openapi/v3', '/version']) {
        expect((await bot.get(path)).status, path).to.equal(200)
      }
    })

    const attributes = (): [Json, boolean][] => [
      [{ verb: 'list', resource: 'pods', namespace: scope.namespace }, true],
      [{ verb: 'list', resource: 'pods' }, false],
      [{ verb: 'get', resource: 'configmaps', name: 'named', namespace: scope.namespace }, true],
      [{ verb: 'get', resource: 'configmaps', name: 'other', namespace: scope.namespace }, false],
      [
        { verb: 'update', group: 'apps', resource: 'deployments', subresource: 'scale', namespace: scope.namespace },
        true,
      ],
      [{ verb: 'update', group: 'apps', resource: 'deployments', namespace: scope.namespace }, false],
    ]
    it('an account can ask what it may', async () => {
      for (const [resourceAttributes, allowed] of attributes()) {
        const reply = await bot.post(`${reviews}/selfsubjectaccessreviews`, { spec: { resourceAttributes } })
        expect(reply.status, reply.text).to.equal(201)
        expect(reply.body.status.allowed, JSON.stringify(resourceAttributes)).to.equal(allowed)
        if (allowed) {
          const why = `RBAC: allowed by RoleBinding "reader/${scope.namespace}" of Role "reader" to ServiceAccount "bot/${scope.namespace}"`
          expect(reply.body.status.reason).to.equal(why)
        }
      }
    })

    it('and an administrator what somebody else may', async () => {
      for (const [resourceAttributes, allowed] of attributes()) {
        const spec = { user: user(), resourceAttributes }
        const { status } = await scope.api.create(`${reviews}/subjectaccessreviews`, { spec })
        expect(status.allowed, JSON.stringify(resourceAttributes)).to.equal(allowed)
      }
      const path = {
        user: 'jane',
        groups: ['system:authenticated'],
        nonResourceAttributes: { path: '/api', verb: 'get' },
      }
      expect((await scope.api.create(`${reviews}/subjectaccessreviews`, { spec: path })).status.allowed).to.equal(true)
    })

    it('nobody gives more than he has', async () => {
      await scope.api.create(scope.group(rbac, 'roles'), {
        metadata: { name: 'giver' },
        rules: [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['create'] }],
      })
      await scope.api.create(scope.group(rbac, 'rolebindings'), {
        metadata: { name: 'giver' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'giver' },
        subjects: [subject()],
      })
      const give = (
        rules: Json,
      ): Promise<{ status: number; text: string; body: Json; headers: Record<string, string> }> =>
        bot.post(scope.group(rbac, 'roles'), { metadata: { generateName: 'given-' }, rules })
      await eventually('the binding to be known', async () => {
        return (await give([{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }])).status === 201
      })
      const reply = await give([{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }])
      expect(reply.status).to.equal(403)
      expect(reply.body.message, reply.text).to.match(
        /^roles\.rbac\.authorization\.k8s\.io is forbidden: user "[^"]+" \(groups=\[[^\]]+\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["secrets"\], Verbs:\["get"\]\}$/,
      )
    })

    it('a ClusterRole gathers the rules of those that its labels select', async () => {
      const name = `gathered-${scope.namespace}`
      const path = `/apis/${rbac}/clusterroles`
      for (const one of [name, `${name}-part`]) scope.atEnd(() => scope.api.delete(`${path}/${one}`))
      const labels = { gather: scope.namespace }
      await scope.api.create(path, {
        metadata: { name },
        aggregationRule: { clusterRoleSelectors: [{ matchLabels: labels }] },
        rules: [],
      })
      const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }]
      await scope.api.create(path, { metadata: { name: `${name}-part`, labels }, rules })
      await eventually('the rules to be gathered', async () => {
        const role = await scope.api.read(`${path}/${name}`)
        return JSON.stringify(role.rules) === JSON.stringify(rules) || JSON.stringify(role.rules).includes('pods')
      })
    })
  })
}
