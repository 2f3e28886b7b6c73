import { bootstrapPolicyLines } from './auth/bootstrap-policy-lines.ts'
import { type ApiContext, timestamp } from './context.ts'
import type { KubeObject } from './kube-object.ts'
import { isObject, type JsonObject, listOf, objectOf, sameJson, textOf } from './schema/json.ts'

const rbac = 'rbac.authorization.k8s.io/v1'
const storages: Record<string, string> = {
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  Role: 'roles',
  RoleBinding: 'rolebindings',
}

/** Fills a store with what every cluster has from its first second. What is there already stays. */
export function bootstrap(context: ApiContext): void {
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease'])
    ensure(context, '/namespaces', namespace(name))
  for (const object of policy()) ensure(context, `rbac.authorization.k8s.io/${storages[object.kind]}`, object)
  aggregateRoles(context)
  for (const object of priorityClasses) ensure(context, 'scheduling.k8s.io/priorityclasses', object)
  ensure(context, '/configmaps', clientCa(context))
  ensure(context, '/services', kubernetesService)
}

function ensure(context: ApiContext, storage: string, object: KubeObject): void {
  const { name, namespace = '' } = object.metadata
  if (context.store.get(storage, namespace, name)) return
  const metadata = { ...object.metadata, uid: context.uuid(), creationTimestamp: timestamp(context.clock.now()) }
  context.store.create(storage, { ...object, metadata })
}

const namespace = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
  spec: { finalizers: ['kubernetes'] },
  status: { phase: 'Active' },
})

function policy(): KubeObject[] {
  return bootstrapPolicyLines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject)
    .map((object) => ({ apiVersion: rbac, ...object }) as KubeObject)
}

const priorityClass = (name: string, value: number, description: string): KubeObject => ({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name, generation: 1 },
  value,
  description,
  preemptionPolicy: 'PreemptLowerPriority',
})

const priorityClasses = [
  priorityClass(
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ),
  priorityClass(
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ),
]

const clientCa = ({ caPem }: ApiContext): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
  data: { 'client-ca-file': caPem },
})

/** The first address of the service range. */
export const kubernetesServiceAddress = '10.96.0.1'

const kubernetesService: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'kubernetes', namespace: 'default', labels: { component: 'apiserver', provider: 'kubernetes' } },
  spec: {
    ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: 6443 }],
    clusterIP: kubernetesServiceAddress,
    clusterIPs: [kubernetesServiceAddress],
    type: 'ClusterIP',
    sessionAffinity: 'None',
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    internalTrafficPolicy: 'Cluster',
  },
  status: { loadBalancer: {} },
}

const clusterRoles = 'rbac.authorization.k8s.io/clusterroles'

/** Gives each role with an `aggregationRule` the rules of the roles that it selects. */
export function aggregateRoles({ store }: ApiContext): void {
  const roles = [...store.walk(clusterRoles)]
  for (const role of roles) {
    const selectors = listOf(objectOf(role['aggregationRule'])['clusterRoleSelectors']).map(objectOf)
    if (selectors.length === 0) continue
    const rules = roles
      .filter((other) => other.metadata.name !== role.metadata.name && selectors.some((one) => selects(one, other)))
      .flatMap((other) => listOf(store.get(clusterRoles, '', other.metadata.name)?.['rules']))
    const distinct = rules.filter(
      (rule, index) => isObject(rule) && rules.findIndex((one) => sameJson(one, rule)) === index,
    )
    if (!sameJson(role['rules'] ?? [], distinct)) store.update(clusterRoles, role, { ...role, rules: distinct })
  }
}

const selects = (selector: JsonObject, role: KubeObject): boolean =>
  Object.entries(objectOf(selector['matchLabels'])).every(
    ([key, value]) => role.metadata.labels?.[key] === textOf(value),
  )
