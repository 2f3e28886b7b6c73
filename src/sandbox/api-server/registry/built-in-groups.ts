import type { GroupSpec, ResourceSpec, SubresourceSpec, Verb } from './resource.ts'

type More = Partial<ResourceSpec>

const resource = (kind: string, plural: string, namespaced: boolean, more: More): ResourceSpec => ({
  kind,
  plural,
  singular: kind.toLowerCase(),
  namespaced,
  ...more,
})
const local = (kind: string, plural: string, more: More = {}): ResourceSpec => resource(kind, plural, true, more)
const global = (kind: string, plural: string, more: More = {}): ResourceSpec => resource(kind, plural, false, more)

const part = (name: string, kind: string, ...verbs: Verb[]): SubresourceSpec => ({ name, kind, verbs })
const changeable = (name: string, kind: string): SubresourceSpec => part(name, kind, 'get', 'patch', 'update')
const ofGroup = (group: string, subresource: SubresourceSpec): SubresourceSpec => ({
  ...subresource,
  group,
  version: 'v1',
})

const short = (...shortNames: string[]): More => ({ shortNames })
const all: More = { categories: ['all'] }
const extension: More = { categories: ['api-extensions'] }
const withStatus = (kind: string, ...others: SubresourceSpec[]): More => ({
  subresources: [...others, changeable('status', kind)],
})
const withScale = (kind: string): More => withStatus(kind, ofGroup('autoscaling', changeable('scale', 'Scale')))

const pod: More = {
  subresources: [
    part('binding', 'Binding', 'create'),
    changeable('ephemeralcontainers', 'Pod'),
    part('exec', 'PodExecOptions', 'create', 'get'),
    part('log', 'Pod', 'get'),
    changeable('status', 'Pod'),
  ],
}

const namespace: More = {
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  ...withStatus('Namespace'),
}

const token: More = {
  subresources: [ofGroup('authentication.k8s.io', part('token', 'TokenRequest', 'create'))],
}

const groups: Readonly<Record<string, readonly ResourceSpec[]>> = {
  '': [
    local('ConfigMap', 'configmaps', short('cm')),
    local('Event', 'events', short('ev')),
    global('Namespace', 'namespaces', { ...short('ns'), ...namespace }),
    global('Node', 'nodes', { ...short('no'), ...withStatus('Node') }),
    local('Pod', 'pods', { ...short('po'), ...all, ...pod }),
    local('Secret', 'secrets'),
    local('ServiceAccount', 'serviceaccounts', { ...short('sa'), ...token }),
    local('Service', 'services', { ...short('svc'), ...all, ...withStatus('Service') }),
  ],
  apps: [
    local('ControllerRevision', 'controllerrevisions'),
    local('DaemonSet', 'daemonsets', { ...short('ds'), ...all, ...withStatus('DaemonSet') }),
    local('Deployment', 'deployments', { ...short('deploy'), ...all, ...withScale('Deployment') }),
    local('ReplicaSet', 'replicasets', { ...short('rs'), ...all, ...withScale('ReplicaSet') }),
    local('StatefulSet', 'statefulsets', { ...short('sts'), ...all, ...withScale('StatefulSet') }),
  ],
  'events.k8s.io': [local('Event', 'events', short('ev'))],
  'authentication.k8s.io': [global('TokenReview', 'tokenreviews', { verbs: ['create'] })],
  policy: [
    local('PodDisruptionBudget', 'poddisruptionbudgets', { ...short('pdb'), ...withStatus('PodDisruptionBudget') }),
  ],
  'rbac.authorization.k8s.io': [
    global('ClusterRoleBinding', 'clusterrolebindings'),
    global('ClusterRole', 'clusterroles'),
    local('RoleBinding', 'rolebindings'),
    local('Role', 'roles'),
  ],
  'admissionregistration.k8s.io': [
    global('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations', extension),
    global('ValidatingWebhookConfiguration', 'validatingwebhookconfigurations', extension),
  ],
  'apiextensions.k8s.io': [
    global('CustomResourceDefinition', 'customresourcedefinitions', {
      ...short('crd', 'crds'),
      ...extension,
      ...withStatus('CustomResourceDefinition'),
    }),
  ],
  'scheduling.k8s.io': [global('PriorityClass', 'priorityclasses', short('pc'))],
  'coordination.k8s.io': [local('Lease', 'leases')],
}

/**
 * The built-in resources, in the order of Kubernetes 1.37's groups, from its published discovery documents
 * (api/discovery of k8s.io/kubernetes). Unlisted resources are not served.
 */
export const builtInGroups: readonly GroupSpec[] = Object.entries(groups).map(([group, resources]) => ({
  group,
  version: 'v1',
  resources,
}))
