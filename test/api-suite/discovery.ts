import { expect } from 'chai'
import type { Json } from './api.ts'
import { expectFailure } from './expect-failure.ts'
import { useScope } from './scope.ts'
import type { Target } from './target.ts'

const aggregated = (version: string): string =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`

/** For each group and version, the names of required resources, with scope, kind and short names. */
const resources: Record<string, [name: string, namespaced: boolean, kind: string, short?: string][]> = {
  '/api/v1': [
    ['namespaces', false, 'Namespace', 'ns'],
    ['namespaces/status', false, 'Namespace'],
    ['nodes', false, 'Node', 'no'],
    ['pods', true, 'Pod', 'po'],
    ['pods/status', true, 'Pod'],
    ['configmaps', true, 'ConfigMap', 'cm'],
    ['secrets', true, 'Secret'],
    ['services', true, 'Service', 'svc'],
    ['serviceaccounts', true, 'ServiceAccount', 'sa'],
    ['serviceaccounts/token', true, 'TokenRequest'],
    ['events', true, 'Event', 'ev'],
  ],
  '/apis/apps/v1': [
    ['deployments', true, 'Deployment', 'deploy'],
    ['deployments/scale', true, 'Scale'],
    ['deployments/status', true, 'Deployment'],
    ['statefulsets', true, 'StatefulSet', 'sts'],
    ['daemonsets', true, 'DaemonSet', 'ds'],
    ['replicasets', true, 'ReplicaSet', 'rs'],
  ],
  '/apis/coordination.k8s.io/v1': [['leases', true, 'Lease']],
  '/apis/rbac.authorization.k8s.io/v1': [
    ['roles', true, 'Role'],
    ['rolebindings', true, 'RoleBinding'],
    ['clusterroles', false, 'ClusterRole'],
    ['clusterrolebindings', false, 'ClusterRoleBinding'],
  ],
  '/apis/apiextensions.k8s.io/v1': [['customresourcedefinitions', false, 'CustomResourceDefinition', 'crd']],
  '/apis/admissionregistration.k8s.io/v1': [
    ['mutatingwebhookconfigurations', false, 'MutatingWebhookConfiguration'],
    ['validatingwebhookconfigurations', false, 'ValidatingWebhookConfiguration'],
  ],
  '/apis/authentication.k8s.io/v1': [['tokenreviews', false, 'TokenReview']],
}

const groups = Object.keys(resources)
  .filter((path) => path.startsWith('/apis/'))
  .map((path) => path.split('/')[2]!)

/** The first requests of a client that knows nothing about the server: versions, groups, kinds, schemas, health. */
export function discovery(target: Target): void {
  describe('discovery', () => {
    const scope = useScope(target)

    it('lists the versions of the core group at /api', async () => {
      const body = await scope.api.read('/api')
      expect(body).to.include({ kind: 'APIVersions' })
      expect(body.versions).to.deep.equal(['v1'])
    })

    it('lists the groups at /apis, each with the version that is preferred', async () => {
      const body = await scope.api.read('/apis')
      expect(body).to.include({ kind: 'APIGroupList', apiVersion: 'v1' })
      const byName = new Map(body.groups.map((group: Json) => [group.name, group]))
      for (const name of groups) {
        const version = { groupVersion: `${name}/v1`, version: 'v1' }
        expect(byName.get(name), name).to.deep.include({ name, preferredVersion: version })
      }
    })

    it('describes one group at /apis/<group>', async () => {
      const version = { groupVersion: 'apps/v1', version: 'v1' }
      expect(await scope.api.read('/apis/apps')).to.deep.equal({
        kind: 'APIGroup',
        apiVersion: 'v1',
        name: 'apps',
        versions: [version],
        preferredVersion: version,
      })
    })

    for (const [path, wanted] of Object.entries(resources)) {
      it(`lists the resources of ${path}`, async () => {
        const body = await scope.api.read(path)
        expect(body).to.include({ kind: 'APIResourceList', groupVersion: path.replace(/^\/apis?\//, '') })
        const byName = new Map<string, Json>(body.resources.map((resource: Json) => [resource.name, resource]))
        for (const [name, namespaced, kind, short] of wanted) {
          const found = byName.get(name)
          expect(found, name).to.include({ name, namespaced, kind })
          if (short !== undefined) expect(found.shortNames, name).to.include(short)
        }
      })
    }

    for (const [root, count] of [
      ['/api', 1],
      ['/apis', 5],
    ] as const) {
      it(`gives everything below ${root} in one answer, if asked for it`, async () => {
        const reply = await scope.api.get(root, { headers: { accept: aggregated('v2') } })
        expect(reply.status).to.equal(200)
        expect(reply.headers['content-type']).to.equal(aggregated('v2'))
        expect(reply.body).to.include({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' })
        expect(reply.body.items).to.have.length.at.least(count)
      })
    }

    it('gives in it verbs, scopes, kinds and subresources', async () => {
      const { body } = await scope.api.get('/api', { headers: { accept: aggregated('v2') } })
      const pods = body.items[0].versions[0].resources.find(({ resource }: Json) => resource === 'pods')
      expect(pods).to.deep.include({
        responseKind: { group: '', version: '', kind: 'Pod' },
        scope: 'Namespaced',
        singularResource: 'pod',
        shortNames: ['po'],
        categories: ['all'],
      })
      const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
      expect([...pods.verbs].sort()).to.deep.equal(verbs)
      expect(pods.subresources.map(({ subresource }: Json) => subresource)).to.include('status')
    })

    it('tells its version', async () => {
      const body = await scope.api.read('/version')
      expect(body).to.include({ major: '1', platform: body.platform })
      expect(body.gitVersion).to.match(/^v1\.\d+\.\d+/)
      expect(body.minor).to.match(/^\d+/)
    })

    for (const path of ['/healthz', '/livez', '/readyz']) {
      it(`is well at ${path}`, async () => {
        const reply = await scope.api.get(path, { headers: { accept: '*/*' } })
        expect(reply).to.include({ status: 200, text: 'ok' })
        expect(reply.headers).to.include({
          'content-type': 'text/plain; charset=utf-8',
          'cache-control': 'no-cache, private',
        })
      })
    }

    it('lists schemas at /openapi/v3, each under a path with a hash', async () => {
      // The answer's type is text/plain, whatever type the request accepts.
      const { paths } = JSON.parse((await scope.api.get('/openapi/v3')).text)
      for (const path of ['api/v1', 'apis/apps/v1', 'apis/apiextensions.k8s.io/v1']) {
        expect(paths[path].serverRelativeURL, path).to.match(new RegExp(`^/openapi/v3/${path}\\?hash=[0-9A-F]{128}$`))
      }
    })

    it('gives the schemas of one version in OpenAPI 3', async () => {
      const { paths } = JSON.parse((await scope.api.get('/openapi/v3')).text)
      const body = await scope.api.read(paths['apis/apps/v1'].serverRelativeURL)
      expect(body.openapi).to.match(/^3\.0/)
      const schema = body.components.schemas['io.k8s.api.apps.v1.Deployment']
      expect(schema['x-kubernetes-group-version-kind']).to.deep.equal([
        { group: 'apps', kind: 'Deployment', version: 'v1' },
      ])
      expect(schema.properties).to.include.keys('apiVersion', 'kind', 'metadata', 'spec', 'status')
    })

    for (const path of ['/nowhere', '/apis/nowhere.test', '/apis/nowhere.test/v1']) {
      it(`answers 404 in plain text for ${path}`, async () => {
        const reply = await scope.api.get(path)
        expect(reply).to.include({ status: 404, text: '404 page not found\n' })
        expect(reply.headers['content-type']).to.equal('text/plain; charset=utf-8')
      })
    }

    for (const path of ['/api/v1/nothings', '/apis/apps/v1/namespaces/default/nothings/x']) {
      it(`answers 404 with a Status for ${path}, in a group that exists`, async () => {
        expectFailure(await scope.api.get(path), {
          code: 404,
          reason: 'NotFound',
          message: 'the server could not find the requested resource',
          details: {},
        })
      })
    }
  })
}
