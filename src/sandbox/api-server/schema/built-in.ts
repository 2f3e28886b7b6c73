import type { FieldIssue } from '../field-issue.ts'
import { builtInSchema } from './built-in-kinds.ts'
import { validateCustomResourceDefinition } from './custom-resource-definition.ts'
import { withTypeDefaults } from './defaults/apply-defaults.ts'
import { checkGoDecoding, throughGo } from './go-decoding.ts'
import { isObject, type JsonObject, objectOf } from './json.ts'
import { type NameRule, plainFinalizerIssues, validateObjectMeta, validateObjectMetaUpdate } from './metadata.ts'
import type { OpenApiSchema } from './open-api-schema.ts'
import {
  bindingIssues,
  configMapIssues,
  leaseIssues,
  podDisruptionBudgetIssues,
  roleIssues,
  secretIssues,
  serviceIssues,
  webhookIssues,
} from './validation/others.ts'
import { podSpecIssues, podUpdateIssues } from './validation/pod.ts'
import {
  cronJobIssues,
  daemonSetIssues,
  deploymentIssues,
  jobIssues,
  replicaSetIssues,
  statefulSetIssues,
} from './validation/workload.ts'

/** @throws {Error} for a kind without a schema: nothing here can handle its objects. */
function schemaOf(apiVersion: string, kind: string): OpenApiSchema {
  const schema = builtInSchema(apiVersion, kind)
  if (schema === undefined) throw new Error(`no built-in kind ${kind} in ${apiVersion}`)
  return schema
}

/**
 * Checks that a body can be decoded as a built-in kind, as the server's JSON decoder does.
 * @returns the unknown fields (`unknown field "spec.foo"`), for `fieldValidation`: Strict refuses them with
 *   `strictDecodingError`, Warn sends each as a Warning header, Ignore drops them.
 * @throws {ApiStatusError} 400 `Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal ...`
 */
export function checkDecodable(apiVersion: string, kind: string, body: JsonObject): string[] {
  return checkGoDecoding(apiVersion.slice(apiVersion.indexOf('/') + 1), kind, body, schemaOf(apiVersion, kind))
}

/** A copy without the fields that the kind does not have, and without nulls and empty lists: what the server keeps. */
export function keepKnownFields(apiVersion: string, kind: string, body: JsonObject): JsonObject {
  const object = throughGo(body, schemaOf(apiVersion, kind)) as JsonObject
  return apiVersion === 'v1' && kind === 'Pod' ? withProbeTimes(object) : object
}

/** The one time that the server's Go types write even where it is not set. */
function withProbeTimes(pod: JsonObject): JsonObject {
  if (!isObject(pod.status) || !Array.isArray(pod.status.conditions)) return pod
  const conditions = pod.status.conditions.map((condition) => ({ lastProbeTime: null, ...objectOf(condition) }))
  return { ...pod, status: { ...pod.status, conditions } }
}

/** A copy with the defaults that the server writes. Applying it again changes nothing. */
export const defaultBuiltIn = (apiVersion: string, kind: string, object: JsonObject): JsonObject =>
  withTypeDefaults(object, schemaOf(apiVersion, kind)) as JsonObject

/** Kinds whose objects are in no namespace. */
const clusterScoped = new Set(
  `Namespace Node PersistentVolume ComponentStatus MutatingWebhookConfiguration ValidatingWebhookConfiguration
  MutatingAdmissionPolicy MutatingAdmissionPolicyBinding ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
  CustomResourceDefinition ClusterRole ClusterRoleBinding CSIDriver CSINode StorageClass VolumeAttachment
  VolumeAttributesClass RuntimeClass PriorityClass IngressClass IPAddress ServiceCIDR`.split(/\s+/),
)

/** Requests that are answered and not stored: nobody names them. */
const reviews = /(Review|Binding|Eviction|Scale|TokenRequest|Status|Options)$/

const nameRules: Record<string, NameRule> = {
  Namespace: 'label',
  Service: 'label',
  StatefulSet: 'label',
  Role: 'path-segment',
  ClusterRole: 'path-segment',
  RoleBinding: 'path-segment',
  ClusterRoleBinding: 'path-segment',
}

type Check = (object: JsonObject, old?: JsonObject) => FieldIssue[]

const podIssues: Check = (object, old) => [
  ...podSpecIssues(objectOf(object.spec), 'spec'),
  ...(old === undefined ? [] : podUpdateIssues(objectOf(object.spec), objectOf(old.spec))),
]

const checks: Record<string, Check> = {
  Pod: podIssues,
  Deployment: deploymentIssues,
  ReplicaSet: replicaSetIssues,
  DaemonSet: daemonSetIssues,
  StatefulSet: statefulSetIssues,
  Job: jobIssues,
  CronJob: cronJobIssues,
  Service: serviceIssues,
  ConfigMap: configMapIssues,
  Secret: secretIssues,
  Lease: leaseIssues,
  Role: roleIssues(true),
  ClusterRole: roleIssues(false),
  RoleBinding: bindingIssues(true),
  ClusterRoleBinding: bindingIssues(false),
  MutatingWebhookConfiguration: webhookIssues,
  ValidatingWebhookConfiguration: webhookIssues,
  PodDisruptionBudget: podDisruptionBudgetIssues,
}

const RBAC_BINDING = /^(Cluster)?RoleBinding$/

/** Kinds whose finalizers may do without a domain: their validation is apimachinery's alone, not that of the core group. */
const freeFinalizers =
  /^(Lease|LeaseCandidate|PodDisruptionBudget|Event|(Mutating|Validating)(WebhookConfiguration|AdmissionPolicy(Binding)?))$/

function metadataIssues(kind: string, object: JsonObject, old: JsonObject | undefined): FieldIssue[] {
  const issues = old
    ? validateObjectMetaUpdate(object, old)
    : validateObjectMeta(object, !clusterScoped.has(kind), nameRules[kind] ?? 'subdomain')
  return freeFinalizers.test(kind) ? issues : [...issues, ...plainFinalizerIssues(object)]
}

/**
 * What the server would refuse in an object of a built-in kind, after defaults; on an update, `old` is what is stored.
 * Metadata is included. These are the common mistakes, in the server's words, not all that the server checks.
 */
export function validateBuiltIn(_apiVersion: string, kind: string, object: JsonObject, old?: JsonObject): FieldIssue[] {
  if (kind === 'CustomResourceDefinition') return validateCustomResourceDefinition(object, old)
  if (reviews.test(kind) && !RBAC_BINDING.test(kind) && !clusterScoped.has(kind)) return []
  const check = Object.hasOwn(checks, kind) ? checks[kind] : undefined
  return [...metadataIssues(kind, object, old), ...(check?.(object, old) ?? [])]
}
