import { expect } from 'chai'
import type { Json, Reply } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { configMap, deployment, lease, pod, secret, service } from './samples.ts'
import { type Scope, useScope } from './scope.ts'
import type { Target } from './target.ts'

interface Row {
  /** Path of the collection. */
  at: (scope: Scope) => string
  /** The kind's name in messages. */
  resource: string
  group?: string
  object: (name: string) => Json
  /** A change that the kind allows, as a merge patch, and a function that reads the changed field. */
  change: Json
  read: (object: Json) => unknown
  changed: unknown
  /** The answer to a deletion: the object itself if it ends later or has a relevant uid; default: a Status. */
  deletion?: 'object'
}

const label = {
  change: { metadata: { labels: { a: 'b' } } },
  read: (object: Json) => object.metadata.labels?.a,
  changed: 'b',
}
const cluster = (groupVersion: string, resource: string) => () => `/apis/${groupVersion}/${resource}`
const within = (groupVersion: string, resource: string) => (scope: Scope) => scope.group(groupVersion, resource)
const rbac = 'rbac.authorization.k8s.io'
const role = { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] }
const roleRef = (kind: string): Json => ({ roleRef: { apiGroup: rbac, kind, name: 'reader' } })
const named =
  (apiVersion: string, kind: string, rest: Json) =>
  (name: string): Json => ({
    apiVersion,
    kind,
    metadata: { name },
    ...rest,
  })

const rows: Row[] = [
  {
    at: (scope) => scope.core('configmaps'),
    resource: 'configmaps',
    object: (name) => configMap(name, { a: '1' }),
    change: { data: { a: '2' } },
    read: ({ data }) => data.a,
    changed: '2',
  },
  {
    at: (scope) => scope.core('secrets'),
    resource: 'secrets',
    object: secret,
    change: { stringData: { password: 'new' } },
    read: ({ data }) => Buffer.from(data.password, 'base64').toString(),
    changed: 'new',
  },
  { at: (scope) => scope.core('services'), resource: 'services', object: service, ...label, deletion: 'object' },
  {
    at: (scope) => scope.core('serviceaccounts'),
    resource: 'serviceaccounts',
    object: named('v1', 'ServiceAccount', {}),
    ...label,
    deletion: 'object',
  },
  { at: (scope) => scope.core('pods'), resource: 'pods', object: pod, ...label, deletion: 'object' },
  {
    at: () => '/api/v1/nodes',
    resource: 'nodes',
    object: named('v1', 'Node', { spec: { unschedulable: true } }),
    ...label,
  },
  {
    at: () => '/api/v1/namespaces/default/events',
    resource: 'events',
    // The object states no namespace, so it belongs to `default`.
    object: (name) => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name },
      involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'n1' },
      reason: 'Tested',
      message: 'once',
      type: 'Normal',
    }),
    change: { message: 'twice' },
    read: ({ message }) => message,
    changed: 'twice',
  },
  {
    at: within('apps/v1', 'deployments'),
    resource: 'deployments',
    group: 'apps',
    object: (name) => deployment(name, 0),
    change: { spec: { replicas: 2 } },
    read: ({ spec }) => spec.replicas,
    changed: 2,
  },
  {
    at: within('coordination.k8s.io/v1', 'leases'),
    resource: 'leases',
    group: 'coordination.k8s.io',
    object: lease,
    change: { spec: { holderIdentity: 'you' } },
    read: ({ spec }) => spec.holderIdentity,
    changed: 'you',
  },
  {
    at: within(`${rbac}/v1`, 'roles'),
    resource: 'roles',
    group: rbac,
    object: named(`${rbac}/v1`, 'Role', role),
    ...label,
  },
  {
    at: within(`${rbac}/v1`, 'rolebindings'),
    resource: 'rolebindings',
    group: rbac,
    object: named(`${rbac}/v1`, 'RoleBinding', roleRef('Role')),
    ...label,
  },
  {
    at: cluster(`${rbac}/v1`, 'clusterroles'),
    resource: 'clusterroles',
    group: rbac,
    object: named(`${rbac}/v1`, 'ClusterRole', role),
    ...label,
  },
  {
    at: cluster(`${rbac}/v1`, 'clusterrolebindings'),
    resource: 'clusterrolebindings',
    group: rbac,
    object: named(`${rbac}/v1`, 'ClusterRoleBinding', roleRef('ClusterRole')),
    ...label,
  },
]

/** Adds an annotation with an update of the whole object, and retries after a controller's concurrent write. */
async function replace(scope: Scope, path: string): Promise<Reply> {
  for (let tries = 5; ; tries--) {
    const current = await scope.api.read(path)
    current.metadata.annotations = { ...current.metadata.annotations, note: 'replaced' }
    const reply = await scope.api.put(path, current)
    if (reply.status === 409 && tries > 0) continue
    expect(reply.status, reply.text).to.equal(200)
    return reply
  }
}

/** Tests the operations on one object of each kind that the product uses: create, read, replace, patch, delete. */
export function crud(target: Target): void {
  describe('create, read, update, delete', () => {
    const scope = useScope(target)
    before(() => scope.accountReady())

    for (const row of rows) {
      const { resource, group } = row
      const qualified = group === undefined ? resource : `${resource}.${group}`

      it(`${qualified}: from creation to deletion`, async () => {
        const { api } = scope
        const name = `crud-${scope.namespace}`
        const at = row.at(scope)
        const one = `${at}/${name}`
        const details = { name, ...(group === undefined ? {} : { group }), kind: resource }
        const missing = { code: 404, reason: 'NotFound', message: `${qualified} "${name}" not found`, details }

        expectFailure(await api.get(one), missing)
        const created = await api.create(at, row.object(name))
        expect(created.metadata.name).to.equal(name)
        const exists = `${qualified} "${name}" already exists`
        expectFailure(await api.post(at, row.object(name)), {
          code: 409,
          reason: 'AlreadyExists',
          message: exists,
          details,
        })
        expect((await api.read(at)).items.map(({ metadata }: Json) => metadata.name)).to.include(name)

        const patched = await api.patch('merge', one, row.change)
        expect(patched.status, patched.text).to.equal(200)
        expect(row.read(patched.body)).to.deep.equal(row.changed)
        const replaced = await replace(scope, one)
        expect(replaced.body.metadata.annotations).to.include({ note: 'replaced' })
        expect(row.read(replaced.body)).to.deep.equal(row.changed)

        const deleted = await api.delete(one)
        expect(deleted.status, deleted.text).to.equal(200)
        if (row.deletion === 'object') expect(deleted.body.metadata.name).to.equal(name)
        else {
          const { uid } = created.metadata
          const status = {
            kind: 'Status',
            apiVersion: 'v1',
            metadata: {},
            status: 'Success',
            details: { ...details, uid },
          }
          expect(deleted.body).to.deep.equal(status)
        }
        expectFailure(await api.get(one), missing)
        expectFailure(await api.delete(one), missing)
      })
    }

    it('a namespace is made active, with a label of its own name', async () => {
      const { metadata, spec, status } = await scope.api.read(`/api/v1/namespaces/${scope.namespace}`)
      expect(metadata.labels).to.deep.equal({ 'kubernetes.io/metadata.name': scope.namespace })
      expect(spec).to.deep.equal({ finalizers: ['kubernetes'] })
      expect(status).to.deep.equal({ phase: 'Active' })
    })

    it('an object cannot be created in a namespace that is not there', async () => {
      expectFailure(await scope.api.post('/api/v1/namespaces/nowhere/configmaps', configMap('a')), {
        code: 404,
        reason: 'NotFound',
        message: 'namespaces "nowhere" not found',
        details: { name: 'nowhere', kind: 'namespaces' },
      })
    })

    it('a replacement of what is not there is refused', async () => {
      expectFailure(await scope.api.put(scope.core('configmaps', 'gone'), configMap('gone')), {
        code: 404,
        reason: 'NotFound',
        message: 'configmaps "gone" not found',
        details: { name: 'gone', kind: 'configmaps' },
      })
    })

    it('a pod gets its defaults', async () => {
      const { spec, status } = await scope.api.create(scope.core('pods'), pod('defaults'))
      expect(spec).to.deep.include({
        restartPolicy: 'Always',
        dnsPolicy: 'ClusterFirst',
        serviceAccountName: 'default',
        schedulerName: 'default-scheduler',
        enableServiceLinks: true,
        priority: 0,
        securityContext: {},
      })
      expect(spec.containers[0]).to.include({
        imagePullPolicy: 'IfNotPresent',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
      })
      expect(status).to.include({ phase: 'Pending', qosClass: 'BestEffort' })
    })

    it('a deployment gets its defaults', async () => {
      const { spec } = await scope.api.create(scope.group('apps/v1', 'deployments'), deployment('defaults', 0))
      expect(spec).to.deep.include({
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      })
      expect(spec.template.spec).to.include({ restartPolicy: 'Always', schedulerName: 'default-scheduler' })
    })

    it('text in the body may be YAML', async () => {
      const raw = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yaml\ndata:\n  a: b\n'
      const reply = await scope.api.post(scope.core('configmaps'), undefined, {
        raw,
        headers: { 'content-type': 'application/yaml' },
      })
      expect(reply.status, reply.text).to.equal(201)
      expect(reply.body.data).to.deep.equal({ a: 'b' })
    })
  })
}
