import { child, type FieldIssue, forbiddenField, invalidValue, notSupported, required } from '../../field-issue.ts'
import { isObject, type JsonObject, type JsonValue, listOf, numberOf, objectOf, sameJson, textOf } from '../json.ts'
import { IMMUTABLE, labelIssues, selectorIssues } from '../metadata.ts'
import { qualifiedNameProblems } from '../names.ts'
import { podSpecIssues } from './pod.ts'

export const nonNegative = (spec: JsonObject, field: string, ...names: string[]): FieldIssue[] =>
  names
    .filter((name) => numberOf(spec[name]) < 0)
    .map((name) => invalidValue(child(field, name), numberOf(spec[name]), 'must be greater than or equal to 0'))

/** A field that stays as it was created. */
export const immutable = (now: JsonValue | undefined, before: JsonValue | undefined, field: string): FieldIssue[] =>
  sameJson(now ?? null, before ?? null) ? [] : [invalidValue(field, now ?? null, IMMUTABLE)]

function expressionMatches(expression: JsonObject, labels: JsonObject): boolean {
  const value = labels[textOf(expression.key)]
  const values = listOf(expression.values)
  if (expression.operator === 'Exists') return value !== undefined
  if (expression.operator === 'DoesNotExist') return value === undefined
  if (expression.operator === 'In') return value !== undefined && values.includes(value)
  return value === undefined || !values.includes(value)
}

/** Whether a label selector chooses an object with these labels. */
export function selectorMatches(selector: JsonObject, labels: JsonObject): boolean {
  return (
    Object.entries(objectOf(selector.matchLabels)).every(([name, value]) => labels[name] === value) &&
    listOf(selector.matchExpressions).every((expression) => expressionMatches(objectOf(expression), labels))
  )
}

const isEmpty = (selector: JsonObject): boolean =>
  Object.keys(objectOf(selector.matchLabels)).length + listOf(selector.matchExpressions).length === 0

function templateMetaIssues(template: JsonObject, field: string): FieldIssue[] {
  const metadata = objectOf(template.metadata)
  const annotations = Object.keys(objectOf(metadata.annotations)).flatMap((name) =>
    qualifiedNameProblems(name.toLowerCase()).map((problem) =>
      invalidValue(child(field, 'annotations'), name, problem),
    ),
  )
  return [...labelIssues(metadata.labels, child(field, 'labels')), ...annotations]
}

const templateIssues = (template: JsonObject, field: string): FieldIssue[] => [
  ...templateMetaIssues(template, field),
  ...podSpecIssues(objectOf(template.spec), child(field, 'spec')),
]

const MISMATCH = '`selector` does not match template `labels`'

function mismatchIssues(selector: JsonObject, template: JsonObject, field: string): FieldIssue[] {
  const labels = objectOf(objectOf(template.metadata).labels)
  if (isEmpty(selector) || selectorMatches(selector, labels)) return []
  const shown = Object.keys(labels).length === 0 ? null : labels
  return [invalidValue(child(field, 'template', 'metadata', 'labels'), shown, MISMATCH)]
}

function longRunningIssues(template: JsonObject, field: string, kind: string): FieldIssue[] {
  const spec = objectOf(template.spec)
  const place = child(field, 'template', 'spec')
  const policy = textOf(spec.restartPolicy)
  return [
    ...(policy === 'Always' ? [] : [notSupported(child(place, 'restartPolicy'), policy, ['Always'])]),
    ...(spec.activeDeadlineSeconds === undefined
      ? []
      : [forbiddenField(child(place, 'activeDeadlineSeconds'), `activeDeadlineSeconds in ${kind} is not Supported`)]),
  ]
}

/** No selector selects nothing, not even the template. */
const withoutSelector = (template: JsonObject): FieldIssue[] => [
  invalidValue('spec.template.metadata.labels', objectOf(template.metadata).labels ?? null, MISMATCH),
]

const isUnusable = (selector: JsonObject): boolean =>
  listOf(selector.matchExpressions)
    .map(objectOf)
    .some(({ operator, values }) => {
      const takesValues = operator === 'In' || operator === 'NotIn'
      return takesValues ? listOf(values).length === 0 : operator !== 'Exists' && operator !== 'DoesNotExist'
    })

/** Selector and template of a workload. A selector that cannot be read hides what is wrong with the template. */
function selectedIssues(spec: JsonObject, kind: string, empty: string): FieldIssue[] {
  const field = 'spec'
  const template = objectOf(spec.template)
  const { selector } = spec
  const place = child(field, 'selector')
  if (isObject(selector) && isUnusable(selector))
    return [...selectorIssues(selector, place), invalidValue(place, selector, 'invalid label selector')]
  const inSelector = isObject(selector)
    ? [
        ...selectorIssues(selector, place),
        ...(isEmpty(selector) ? [invalidValue(place, selector, `empty selector is invalid for ${empty}`)] : []),
        ...mismatchIssues(selector, template, field),
      ]
    : [required(place), ...withoutSelector(template)]
  return [
    ...inSelector,
    ...templateIssues(template, child(field, 'template')),
    ...longRunningIssues(template, field, kind),
  ]
}

const amount = (value: JsonValue | undefined): number =>
  typeof value === 'number' ? value : Number.parseInt(textOf(value), 10)

function amountIssues(value: JsonValue | undefined, field: string): FieldIssue[] {
  if (typeof value === 'number')
    return value < 0 ? [invalidValue(field, value, 'must be greater than or equal to 0')] : []
  if (!/^[0-9]+%$/.test(textOf(value)))
    return [
      invalidValue(
        field,
        value ?? null,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ]
  return []
}

const above = (value: JsonValue | undefined, field: string): FieldIssue[] =>
  typeof value === 'string' && amount(value) > 100 ? [invalidValue(field, value, 'must not be greater than 100%')] : []

/** A strategy as the server prints it: its own struct. */
const strategyStruct = (strategy: JsonObject): JsonObject => ({
  Type: textOf(strategy.type),
  RollingUpdate: strategy.rollingUpdate ?? null,
})

function strategyIssues(strategy: JsonObject): FieldIssue[] {
  const field = 'spec.strategy'
  const rolling = strategy.rollingUpdate
  if (strategy.type === 'Recreate')
    return isObject(rolling)
      ? [forbiddenField(child(field, 'rollingUpdate'), "may not be specified when strategy `type` is 'Recreate'")]
      : []
  if (strategy.type !== 'RollingUpdate')
    return [notSupported(field, strategyStruct(strategy), ['Recreate', 'RollingUpdate'])]
  const { maxUnavailable, maxSurge } = objectOf(rolling)
  const place = child(field, 'rollingUpdate')
  const none = amount(maxUnavailable) === 0 && amount(maxSurge) === 0
  return [
    ...amountIssues(maxUnavailable, child(place, 'maxUnavailable')),
    ...amountIssues(maxSurge, child(place, 'maxSurge')),
    ...(none
      ? [invalidValue(child(place, 'maxUnavailable'), maxUnavailable ?? null, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...above(maxUnavailable, child(place, 'maxUnavailable')),
  ]
}

export function deploymentIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  const [deadline, ready] = [spec.progressDeadlineSeconds, numberOf(spec.minReadySeconds)]
  return [
    ...nonNegative(spec, 'spec', 'replicas'),
    ...selectedIssues(spec, 'ReplicaSet', 'deployment'),
    ...strategyIssues(objectOf(spec.strategy)),
    ...nonNegative(spec, 'spec', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'),
    ...(typeof deadline === 'number' && deadline <= ready
      ? [invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')]
      : []),
    ...(old === undefined ? [] : immutable(spec.selector, objectOf(old.spec).selector, 'spec.selector')),
  ]
}

export function replicaSetIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  return [
    ...nonNegative(spec, 'spec', 'replicas', 'minReadySeconds'),
    ...selectedIssues(spec, 'ReplicaSet', 'deployment'),
    ...(old === undefined ? [] : immutable(spec.selector, objectOf(old.spec).selector, 'spec.selector')),
  ]
}

export function daemonSetIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  const strategy = objectOf(spec.updateStrategy)
  const known = strategy.type === 'RollingUpdate' || strategy.type === 'OnDelete'
  return [
    ...selectedIssues(spec, 'DaemonSet', 'daemonset'),
    ...nonNegative(spec, 'spec', 'minReadySeconds', 'revisionHistoryLimit'),
    ...(known ? [] : [notSupported('spec.updateStrategy', strategyStruct(strategy), ['RollingUpdate', 'OnDelete'])]),
    ...(old === undefined ? [] : immutable(spec.selector, objectOf(old.spec).selector, 'spec.selector')),
  ]
}

const statefulSetFree = [
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
  'replicas',
]
const STATEFUL_SET_UPDATE =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"

const fixedPart = (spec: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(spec).filter(([name]) => !statefulSetFree.includes(name)))

export function statefulSetIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  const policy = textOf(spec.podManagementPolicy)
  const type = textOf(objectOf(spec.updateStrategy).type)
  const before = objectOf(old?.spec)
  return [
    ...(policy === 'OrderedReady' || policy === 'Parallel'
      ? []
      : [invalidValue('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'")]),
    ...(type === 'RollingUpdate' || type === 'OnDelete'
      ? []
      : [
          invalidValue(
            'spec.updateStrategy',
            strategyStruct(objectOf(spec.updateStrategy)),
            "must be 'RollingUpdate' or 'OnDelete'",
          ),
        ]),
    ...nonNegative(spec, 'spec', 'replicas', 'minReadySeconds'),
    ...selectedIssues(spec, 'StatefulSet', 'statefulset'),
    ...(old === undefined || sameJson(fixedPart(spec), fixedPart(before))
      ? []
      : [forbiddenField('spec', STATEFUL_SET_UPDATE)]),
  ]
}

const jobFixed = ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy']

/** A Job's pods end. The default of pods, Always, is told as if nothing had been said. */
function jobRestartIssues(policy: string): FieldIssue[] {
  const field = 'spec.template.spec.restartPolicy'
  if (policy === 'OnFailure' || policy === 'Never') return []
  return policy === 'Always'
    ? [required(field, 'valid values: "OnFailure", "Never"')]
    : [notSupported(field, policy, ['OnFailure', 'Never'])]
}

/** The selector of a Job is the server's to make, so it is checked only where it is there. */
export function jobIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  const template = objectOf(spec.template)
  const policy = textOf(objectOf(template.spec).restartPolicy)
  const before = objectOf(old?.spec)
  const counts = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished']
  return [
    ...nonNegative(spec, 'spec', ...counts),
    ...templateIssues(template, 'spec.template'),
    ...jobRestartIssues(policy),
    ...(isObject(spec.selector)
      ? [...selectorIssues(spec.selector, 'spec.selector'), ...mismatchIssues(spec.selector, template, 'spec')]
      : []),
    ...(old === undefined
      ? []
      : [
          ...immutable(spec.completions, before.completions, 'spec.completions'),
          ...immutable(spec.selector, before.selector, 'spec.selector'),
          ...immutable(spec.template, before.template, 'spec.template'),
          ...jobFixed.flatMap((name) => immutable(spec[name], before[name], child('spec', name))),
        ]),
  ]
}

/** A schedule in the five fields of cron, or a word for one. What is in the fields is not looked at. */
function scheduleIssues(schedule: string, field: string): FieldIssue[] {
  if (schedule === '') return [required(field)]
  if (schedule.startsWith('@')) return []
  const parts = schedule.trim().split(/\s+/)
  return parts.length === 5
    ? []
    : [invalidValue(field, schedule, `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`)]
}

export const cronJobIssues = (object: JsonObject): FieldIssue[] =>
  scheduleIssues(textOf(objectOf(object.spec).schedule), 'spec.schedule')
