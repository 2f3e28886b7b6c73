import type { Random } from '../../../base/random.ts'
import { randomSuffix } from '../handlers/random-suffix.ts'
import type { KubeObject } from '../kube-object.ts'
import { clone, type JsonObject, listOf, objectOf, textOf } from '../schema/json.ts'
import { forbidden } from '../status.ts'
import type { Store } from '../store/store.ts'

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
/** Lifetime in seconds. As in Kubernetes, the seven extra seconds mark a token that the server mounts automatically. */
const tokenLifetime = 3607

/** Gives a new pod a service account, a token of this account, and the default tolerations. */
export function podDefaults(sent: KubeObject, namespace: string, store: Store, random: Random): KubeObject {
  const pod = clone(sent)
  const spec = objectOf(pod['spec'])
  const name = textOf(spec['serviceAccountName']) || 'default'
  const account = store.get('/serviceaccounts', namespace, name)
  if (!account)
    throw forbidden(
      { group: '', resource: 'pods' },
      sent.metadata.name ?? '',
      `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
    )
  if (spec['automountServiceAccountToken'] ?? account['automountServiceAccountToken'] ?? true) mountToken(spec, random)
  const defaults = { priority: 0, preemptionPolicy: 'PreemptLowerPriority' }
  const accountFields = { serviceAccountName: name, serviceAccount: name }
  return { ...pod, spec: { ...defaults, ...spec, ...accountFields, tolerations: tolerations(spec) } }
}

function mountToken(spec: JsonObject, random: Random): void {
  const containers = [...listOf(spec['initContainers']), ...listOf(spec['containers'])].map(objectOf)
  const mountsOf = (container: JsonObject): JsonObject[] => listOf(container['volumeMounts']).map(objectOf)
  const lacking = containers.filter((one) => !mountsOf(one).some((mount) => mount['mountPath'] === mountPath))
  if (lacking.length === 0) return
  const name = `kube-api-access-${randomSuffix(random)}`
  spec['volumes'] = [...listOf(spec['volumes']), { name, projected: projection() }]
  for (const container of lacking)
    container['volumeMounts'] = [...mountsOf(container), { name, readOnly: true, mountPath }]
}

const projection = (): JsonObject => ({
  sources: [
    { serviceAccountToken: { expirationSeconds: tokenLifetime, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    {
      downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] },
    },
  ],
  defaultMode: 0o644,
})

/** The default tolerations: a pod stays on a lost node for five minutes, unless it sets another time. */
function tolerations(spec: JsonObject): JsonObject[] {
  const given = listOf(spec['tolerations']).map(objectOf)
  const isTolerated = (taint: string): boolean =>
    given.some(
      ({ key = '', effect = '' }) => (key === '' || key === taint) && (effect === '' || effect === 'NoExecute'),
    )
  const lacking = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].filter((key) => !isTolerated(key))
  return [...given, ...lacking.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }))]
}
