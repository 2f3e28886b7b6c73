import { type JsonObject, objectOf, textOf } from '../json.ts'
import { absent, given, type TypeDefaults } from './type-defaults.ts'

const withSpec = (value: JsonObject, change: (spec: JsonObject) => JsonObject): JsonObject => ({
  ...value,
  spec: change(objectOf(value.spec)),
})

/** Only a rolling update has parameters. */
function rolling(strategy: unknown, parameters: JsonObject): JsonObject {
  const typed = given(objectOf(strategy), { type: 'RollingUpdate' })
  if (typed.type !== 'RollingUpdate') return typed
  return { ...typed, rollingUpdate: absent(objectOf(typed.rollingUpdate), parameters) }
}

const deployment = (spec: JsonObject): JsonObject => ({
  ...absent(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 }),
  strategy: rolling(spec.strategy, { maxUnavailable: '25%', maxSurge: '25%' }),
})

const daemonSet = (spec: JsonObject): JsonObject => ({
  ...absent(spec, { revisionHistoryLimit: 10 }),
  updateStrategy: rolling(spec.updateStrategy, { maxUnavailable: 1, maxSurge: 0 }),
})

function statefulSetStrategy(strategy: JsonObject): JsonObject {
  const typed = textOf(strategy.type) === '' ? { rollingUpdate: {}, ...strategy, type: 'RollingUpdate' } : strategy
  if (typed.type !== 'RollingUpdate' || typed.rollingUpdate === undefined) return typed
  return { ...typed, rollingUpdate: absent(objectOf(typed.rollingUpdate), { partition: 0, maxUnavailable: 1 }) }
}

const statefulSet = (spec: JsonObject): JsonObject => ({
  ...given(absent(spec, { replicas: 1, revisionHistoryLimit: 10 }), { podManagementPolicy: 'OrderedReady' }),
  updateStrategy: statefulSetStrategy(objectOf(spec.updateStrategy)),
  persistentVolumeClaimRetentionPolicy: given(objectOf(spec.persistentVolumeClaimRetentionPolicy), {
    whenDeleted: 'Retain',
    whenScaled: 'Retain',
  }),
})

function jobSpec(spec: JsonObject): JsonObject {
  const single = spec.completions === undefined && spec.parallelism === undefined
  return absent(spec, {
    ...(single ? { completions: 1 } : {}),
    parallelism: 1,
    backoffLimit: spec.backoffLimitPerIndex === undefined ? 6 : 2147483647,
    completionMode: 'NonIndexed',
    suspend: false,
    podReplacementPolicy: spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed',
    manualSelector: false,
  })
}

function job(value: JsonObject): JsonObject {
  const spec = jobSpec(objectOf(value.spec))
  const metadata = objectOf(value.metadata)
  const labels = objectOf(objectOf(objectOf(spec.template).metadata).labels)
  const bare = Object.keys(objectOf(metadata.labels)).length === 0 && Object.keys(labels).length > 0
  return { ...value, spec, ...(bare ? { metadata: { ...metadata, labels: { ...labels } } } : {}) }
}

const cronJob = (spec: JsonObject): JsonObject =>
  given(absent(spec, { suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 }), {
    concurrencyPolicy: 'Allow',
  })

/** Kubernetes' pkg/apis/apps/v1/defaults.go and pkg/apis/batch/v1/defaults.go. */
export const workloadDefaults: TypeDefaults = {
  Deployment: (value) => withSpec(value, deployment),
  DaemonSet: (value) => withSpec(value, daemonSet),
  StatefulSet: (value) => withSpec(value, statefulSet),
  ReplicaSet: (value) => withSpec(value, (spec) => absent(spec, { replicas: 1 })),
  Job: job,
  CronJob: (value) => withSpec(value, cronJob),
  PodFailurePolicyOnPodConditionsPattern: (value) => given(value, { status: 'True' }),
}
