import { type JsonObject, listOf, objectOf, textOf } from '../json.ts'
import { absent, given, type TypeDefaults } from './type-defaults.ts'

const webhook: JsonObject = {
  failurePolicy: 'Fail',
  matchPolicy: 'Equivalent',
  namespaceSelector: {},
  objectSelector: {},
  timeoutSeconds: 10,
}

const RBAC = 'rbac.authorization.k8s.io'
const binding = (value: JsonObject): JsonObject => ({
  ...value,
  roleRef: given(objectOf(value.roleRef), { apiGroup: RBAC }),
})

function subject(value: JsonObject): JsonObject {
  return value.kind === 'User' || value.kind === 'Group' ? given(value, { apiGroup: RBAC }) : value
}

function names(value: JsonObject): JsonObject {
  const kind = textOf(value.kind)
  return kind === '' ? value : given(value, { singular: kind.toLowerCase(), listKind: `${kind}List` })
}

function definition(value: JsonObject): JsonObject {
  const status = objectOf(value.status)
  const spec = objectOf(value.spec)
  const full = { ...value, spec: absent(spec, { conversion: { strategy: 'None' } }) }
  const stored = listOf(spec.versions)
    .map(objectOf)
    .find((version) => version.storage === true)
  if (stored === undefined || listOf(status.storedVersions).length > 0) return full
  return { ...full, status: { ...status, storedVersions: [textOf(stored.name)] } }
}

function networkPolicySpec(value: JsonObject): JsonObject {
  if (listOf(value.policyTypes).length > 0) return value
  return { ...value, policyTypes: listOf(value.egress).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'] }
}

/** The defaulters of the other groups (Kubernetes, pkg/apis/<group>/v1/defaults.go). */
export const otherDefaults: TypeDefaults = {
  ValidatingWebhook: (value) => absent(value, webhook),
  MutatingWebhook: (value) => absent(value, { ...webhook, reinvocationPolicy: 'Never' }),
  RuleWithOperations: (value) => absent(value, { scope: '*' }),
  ServiceReference: (value) => absent(value, { port: 443 }),
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  Subject: subject,
  CustomResourceDefinition: definition,
  CustomResourceDefinitionNames: names,
  NetworkPolicySpec: networkPolicySpec,
  NetworkPolicyPort: (value) => absent(value, { protocol: 'TCP' }),
  StorageClass: (value) => absent(value, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }),
  EndpointPort: (value) => absent(value, { protocol: 'TCP' }),
  CSIDriverSpec: (value) =>
    given(
      absent(value, {
        attachRequired: true,
        podInfoOnMount: false,
        storageCapacity: false,
        fsGroupPolicy: 'ReadWriteOnceWithFSType',
        requiresRepublish: false,
        seLinuxMount: false,
      }),
      listOf(value.volumeLifecycleModes).length === 0 ? { volumeLifecycleModes: ['Persistent'] } : {},
    ),
}
