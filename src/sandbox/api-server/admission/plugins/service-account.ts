import type { Random } from '../../../../base/random.ts'
import { randomSuffix } from '../../handlers/generate-name.ts'
import type { KubeObject } from '../../kube-object.ts'
import { clone, type JsonObject, listOf, objectOf, textOf } from '../../schema/json.ts'
import { forbidden } from '../../status.ts'
import type { Store } from '../../store/store.ts'
import type { AdmissionPlugin } from '../admission-chain.ts'
import type { AdmissionRequest } from '../admission-request.ts'

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const mirrorAnnotation = 'kubernetes.io/config.mirror'
/** Seconds; the odd seven marks tokens that are mounted like this, as in Kubernetes. */
const tokenLifetime = 3607

/** Gives each new pod a service account and mounts a token of it. */
export function serviceAccountAdmission(store: Store, random: Random): AdmissionPlugin {
  return {
    mutate(request) {
      const { object, operation, resource, subresource } = request
      if (resource.storage !== '/pods' || subresource !== '' || operation !== 'CREATE' || !object) return undefined
      if (object.metadata.annotations?.[mirrorAnnotation] !== undefined) return undefined
      return withServiceAccount(request, object, store, random)
    },
  }
}

function withServiceAccount(request: AdmissionRequest, sent: KubeObject, store: Store, random: Random): KubeObject {
  const pod = clone(sent)
  const spec = objectOf(pod['spec'])
  const name = textOf(spec['serviceAccountName']) || 'default'
  spec['serviceAccountName'] = name
  spec['serviceAccount'] = name
  const account = store.get('/serviceaccounts', request.namespace, name)
  if (!account)
    throw forbidden(
      { group: '', resource: 'pods' },
      request.name,
      `error looking up service account ${request.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
    )
  const automount = spec['automountServiceAccountToken'] ?? account['automountServiceAccountToken'] ?? true
  if (automount) mountToken(spec, random)
  if (listOf(spec['imagePullSecrets']).length === 0 && listOf(account['imagePullSecrets']).length > 0)
    spec['imagePullSecrets'] = clone(listOf(account['imagePullSecrets']))
  return { ...pod, spec }
}

function mountToken(spec: JsonObject, random: Random): void {
  const containers = [...listOf(spec['initContainers']), ...listOf(spec['containers'])].map(objectOf)
  const lacking = containers.filter((container) => !hasMount(container))
  if (lacking.length === 0) return
  const volume = tokenVolume(spec, random)
  for (const container of lacking)
    container['volumeMounts'] = [
      ...listOf(container['volumeMounts']),
      { name: textOf(volume['name']), readOnly: true, mountPath },
    ]
}

const hasMount = (container: JsonObject): boolean =>
  listOf(container['volumeMounts']).some((mount) => objectOf(mount)['mountPath'] === mountPath)

/** The volume that the pod has for it already, or a new one. */
function tokenVolume(spec: JsonObject, random: Random): JsonObject {
  const volumes = listOf(spec['volumes']).map(objectOf)
  const found = volumes.find(({ name }) => textOf(name).startsWith('kube-api-access-'))
  if (found) return found
  const volume = { name: `kube-api-access-${randomSuffix(random)}`, projected: projection() }
  spec['volumes'] = [...volumes, volume]
  return volume
}

const projection = (): JsonObject => ({
  sources: [
    { serviceAccountToken: { expirationSeconds: tokenLifetime, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: {
        items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
      },
    },
  ],
  defaultMode: 0o644,
})
