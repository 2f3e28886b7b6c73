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
   * User names of the managers. The API server sends writes by other users to ArmorProfiles and to a model's status for
   * review. Absent: it does not.
   */
  profileWriters?: readonly string[] | undefined
}

/**
 * The two configurations, without the CA. With failurePolicy `Fail`, vArmor's own namespace and kube-system are exempt
 * from mutation. Otherwise, if all managers were down, no manager could start.
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
        // Do not select pods by the opt-in label: only the workload may have it. The manager finds the policy by the
        // profiles that the pod names.
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
 * Only new and changed specs are reviewed, so that a manager's changes of finalizers and labels cause no reviews. API
 * servers before 1.27 drop this condition and send all changes.
 */
const specChanged = {
  name: 'spec-changed',
  expression: "request.operation == 'CREATE' || object.spec != oldObject.spec",
}

/**
 * Skips writes by managers, and writes that only remove finalizers from an object that is being deleted: a review must
 * not delay the deletion of a namespace. The spec of such an object stays protected, because it tells agents which
 * profile to unload.
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
