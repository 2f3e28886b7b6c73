import { apiVersion } from '../../api/schema/common.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { defineResource } from '../../kube/resources.ts'

/** The fields of an admissionregistration.k8s.io/v1 webhook that a manager sets. */
export interface Webhook {
  name: string
  clientConfig: {
    service?: { namespace: string; name: string; path: string; port?: number }
    url?: string
    caBundle?: string
  }
  [field: string]: unknown
}

export interface WebhookConfiguration extends KubeObject {
  webhooks?: Webhook[]
}

const group = { group: 'admissionregistration.k8s.io', version: 'v1', namespaced: false }

export const mutatingWebhookConfigurations = defineResource<WebhookConfiguration>({
  ...group,
  plural: 'mutatingwebhookconfigurations',
  kind: 'MutatingWebhookConfiguration',
})

export const validatingWebhookConfigurations = defineResource<WebhookConfiguration>({
  ...group,
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
})

/** Upstream's names. */
export const mutatingName = 'varmor-resource-mutating-webhook-cfg'
export const validatingName = 'varmor-policy-validating-webhook-cfg'

export interface WebhookOptions {
  /** How the API server reaches the webhooks: by a Service, or by a base URL for a manager outside the cluster. */
  reach: { namespace: string; service: string; port?: number } | { url: string }
  optIn?: { key: string; value: string } | undefined
  failurePolicy?: 'Ignore' | 'Fail'
  /** Namespaces whose pods and workloads are not reviewed, so they get no profile. */
  exemptNamespaces?: readonly string[]
  timeoutSeconds?: number
  labels?: Record<string, string>
  /**
   * Users of managers. Writes of other users to ArmorProfiles and to a model's status are reviewed. Absent: these
   * writes are not reviewed.
   */
  profileWriters?: readonly string[] | undefined
}

/**
 * The two configurations, without the CA. With failurePolicy `Fail`, vArmor's own namespace and kube-system are exempt
 * from mutation: otherwise managers could not start again when all of them are down.
 */
export function webhookConfigurations(options: WebhookOptions): {
  mutating: WebhookConfiguration
  validating: WebhookConfiguration
} {
  const metadata = (name: string) => ({ name, ...(options.labels !== undefined && { labels: options.labels }) })
  return {
    mutating: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: metadata(mutatingName),
      webhooks: [
        mutatingWebhook('mutateworkload.varmor.org', workloadRules, options),
        mutatingWebhook('mutatepod.varmor.org', podRules, options),
        // The label may be on the workload alone, so the manager finds the policy by the profiles of the pod.
        mutatingWebhook('mutateephemeral.varmor.org', ephemeralRules, { ...options, optIn: undefined }),
        {
          name: 'holdpolicy.varmor.org',
          ...common('/mutate', { ...options, failurePolicy: 'Ignore' }),
          sideEffects: 'None',
          rules: [rule(policyGroup, policyVersion, policyResources, ['CREATE'])],
        },
      ],
    },
    validating: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingWebhookConfiguration',
      metadata: metadata(validatingName),
      webhooks: [
        {
          name: 'validatepolicy.varmor.org',
          ...common('/validate', options),
          sideEffects: 'None',
          rules: policyRules,
          matchConditions: [specChanged],
        },
        ...(options.profileWriters === undefined ? [] : [profileWebhook(options, options.profileWriters)]),
      ],
    },
  }
}

const rule = (apiGroup: string, version: string, resources: string[], operations: string[]) => ({
  apiGroups: [apiGroup],
  apiVersions: [version],
  resources,
  operations,
  scope: '*',
})

const workloadRules = [rule('apps', 'v1', ['deployments', 'statefulsets', 'daemonsets'], ['CREATE', 'UPDATE'])]
const podRules = [rule('', 'v1', ['pods'], ['CREATE'])]
const ephemeralRules = [rule('', 'v1', ['pods/ephemeralcontainers'], ['UPDATE'])]
const [policyGroup = '', policyVersion = ''] = apiVersion.split('/')
const policyResources = ['varmorpolicies', 'varmorclusterpolicies']
const profileResources = ['armorprofiles', 'armorprofiles/status', 'armorprofilemodels/status']
const policyRules = [rule(policyGroup, policyVersion, policyResources, ['CREATE', 'UPDATE'])]

/**
 * Changes of finalizers and labels need no review, so the manager's own changes of metadata cost no call. API servers
 * before 1.27 drop this condition and send all changes.
 */
const specChanged = {
  name: 'spec-changed',
  expression: "request.operation == 'CREATE' || object.spec != oldObject.spec",
}

/**
 * Two kinds of writes are not reviewed: writes of managers, and removals of finalizers from an object that is being
 * deleted, so that no namespace is delayed. The spec of such an object is still protected: it tells agents which
 * profile to unload. A model has no spec; users may write its data.
 */
function profileWebhook(options: WebhookOptions, writers: readonly string[]): Webhook {
  return {
    name: 'validateprofile.varmor.org',
    ...common('/validate', options),
    sideEffects: 'None',
    rules: [rule(policyGroup, policyVersion, profileResources, ['CREATE', 'UPDATE'])],
    matchConditions: [
      { name: 'not-a-manager', expression: `!(request.userInfo.username in ${JSON.stringify(writers)})` },
      {
        name: 'stays-or-changes',
        expression:
          '(has(request.subResource) && request.subResource != "") || !has(object.metadata.deletionTimestamp) || object.spec != oldObject.spec',
      },
    ],
  }
}

function mutatingWebhook(name: string, rules: object[], options: WebhookOptions): Webhook {
  const { optIn, reach, failurePolicy, exemptNamespaces = [] } = options
  const own = 'namespace' in reach ? [reach.namespace] : []
  const needed = failurePolicy === 'Fail' ? [...own, 'kube-system'] : []
  const values = [...new Set([...needed, ...exemptNamespaces])]
  const exempt = { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values }
  return {
    name,
    ...common('/mutate', options),
    rules,
    // Another webhook may add containers after us.
    reinvocationPolicy: 'IfNeeded',
    sideEffects: 'None',
    objectSelector: optIn === undefined ? {} : { matchLabels: { [optIn.key]: optIn.value } },
    ...(values.length > 0 && { namespaceSelector: { matchExpressions: [exempt] } }),
  }
}

function common(path: string, { reach, failurePolicy = 'Ignore', timeoutSeconds = 10 }: WebhookOptions) {
  const clientConfig =
    'url' in reach
      ? { url: reach.url + path }
      : {
          service: {
            namespace: reach.namespace,
            name: reach.service,
            path,
            ...(reach.port !== undefined && { port: reach.port }),
          },
        }
  return { clientConfig, failurePolicy, timeoutSeconds, admissionReviewVersions: ['v1'], matchPolicy: 'Equivalent' }
}
