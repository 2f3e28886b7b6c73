import { child, duplicate, type FieldIssue, forbiddenField, invalidValue, item, key, required } from '../field-issue.ts'
import { selectorOf } from '../selectors/label-selector.ts'
import { celComplaint, matchEnvironment } from './cel/program.ts'
import { at, isObject, type JsonObject, type JsonValue, listOf, numberOf, objectOf, sameJson, textOf } from './json.ts'
import { IMMUTABLE } from './metadata.ts'
import { configKeyProblems } from './names.ts'

type Check = (object: JsonObject, old?: JsonObject) => FieldIssue[]

function profileIssues(profile: JsonValue | undefined, field: string, isPath: boolean): FieldIssue[] {
  if (!isObject(profile)) return []
  const path = textOf(profile.localhostProfile)
  const place = child(field, 'localhostProfile')
  if (profile.type !== 'Localhost')
    return path === '' ? [] : [invalidValue(place, path, 'can only be set when type is Localhost')]
  if (path === '') return [required(place, 'must be set when type is Localhost')]
  if (!isPath) return []
  if (path.startsWith('/')) return [invalidValue(place, path, 'must be a relative path')]
  return path.split('/').includes('..') ? [invalidValue(place, path, "must not contain '..'")] : []
}

const profilesIssues = (context: JsonValue | undefined, field: string): FieldIssue[] => [
  ...profileIssues(at(context, 'seccompProfile'), child(field, 'seccompProfile'), true),
  ...profileIssues(at(context, 'appArmorProfile'), child(field, 'appArmorProfile'), false),
]

/** Checks that containers have unique names, and that the profiles that vArmor sets have a valid form. */
function podSpecIssues(spec: JsonObject, field: string): FieldIssue[] {
  const names = new Set<string>()
  const inContainers = ['initContainers', 'containers'].flatMap((list) =>
    listOf(spec[list]).flatMap((container, index) => {
      const place = item(child(field, list), index)
      const name = textOf(at(container, 'name'))
      const repeated = names.has(name) ? [duplicate(child(place, 'name'), name)] : []
      names.add(name)
      return [...repeated, ...profilesIssues(at(container, 'securityContext'), child(place, 'securityContext'))]
    }),
  )
  const none = listOf(spec.containers).length === 0 ? [required(child(field, 'containers'))] : []
  return [...none, ...inContainers, ...profilesIssues(spec.securityContext, child(field, 'securityContext'))]
}

const POD_UPDATE =
  'pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` or `spec.terminationGracePeriodSeconds`'

function fixedPart(spec: JsonObject): JsonObject {
  const { activeDeadlineSeconds: _, tolerations: __, terminationGracePeriodSeconds: ___, ...rest } = spec
  const { ephemeralContainers: ____, ...fixed } = rest
  // Resources and ephemeral containers change through their own subresources.
  const kept = (list: JsonValue | undefined) =>
    listOf(list).map((one) => ({ ...objectOf(one), image: '', resources: {} }))
  return { ...fixed, containers: kept(spec.containers), initContainers: kept(spec.initContainers) }
}

function podIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const [spec, before] = [objectOf(object.spec), objectOf(old?.spec)]
  const bound = textOf(before.nodeName) === '' ? { ...spec, nodeName: before.nodeName } : spec
  const isChanged = old !== undefined && !sameJson(fixedPart(bound), fixedPart(before))
  return [...podSpecIssues(spec, 'spec'), ...(isChanged ? [forbiddenField('spec', POD_UPDATE)] : [])]
}

function workloadIssues(object: JsonObject, old?: JsonObject): FieldIssue[] {
  const spec = objectOf(object.spec)
  const labels = at(spec, 'template', 'metadata', 'labels')
  const { selector } = spec
  const before = at(old, 'spec', 'selector')
  const fits = isObject(selector) && selectorOf(selector).matches(objectOf(labels) as Record<string, string>)
  const mismatch = '`selector` does not match template `labels`'
  return [
    ...(fits ? [] : [invalidValue('spec.template.metadata.labels', labels ?? null, mismatch)]),
    ...(numberOf(spec.replicas) < 0
      ? [invalidValue('spec.replicas', numberOf(spec.replicas), 'must be greater than or equal to 0')]
      : []),
    ...podSpecIssues(objectOf(at(spec, 'template', 'spec')), 'spec.template.spec'),
    ...(old === undefined || sameJson(selector, before)
      ? []
      : [invalidValue('spec.selector', selector ?? null, IMMUTABLE)]),
  ]
}

const dataIssues: Check = (object) =>
  ['data', 'binaryData'].flatMap((field) =>
    Object.keys(objectOf(object[field])).flatMap((name) =>
      configKeyProblems(name).map((problem) => invalidValue(key(field, name), name, problem)),
    ),
  )

function clientIssues(url: JsonValue | undefined, field: string): FieldIssue[] {
  const scheme = typeof url === 'string' && URL.canParse(url) ? new URL(url).protocol.slice(0, -1) : 'https'
  return scheme === 'https' ? [] : [invalidValue(field, scheme, "'https' is the only allowed URL scheme")]
}

function conditionIssues(condition: JsonValue, field: string): FieldIssue[] {
  const expression = textOf(at(condition, 'expression'))
  const complaint = celComplaint(matchEnvironment, expression)
  return complaint === undefined ? [] : [invalidValue(field, expression, `compilation failed: ${complaint}`)]
}

const webhookIssues: Check = (object) =>
  listOf(object.webhooks).flatMap((entry, index) => {
    const hook = objectOf(entry)
    const field = item('webhooks', index)
    const seconds = numberOf(hook.timeoutSeconds)
    const range = 'the timeout value must be between 1 and 30 seconds'
    return [
      ...(seconds < 1 || seconds > 30 ? [invalidValue(child(field, 'timeoutSeconds'), seconds, range)] : []),
      ...clientIssues(at(hook, 'clientConfig', 'url'), child(field, 'clientConfig', 'url')),
      ...listOf(hook.matchConditions).flatMap((condition, position) =>
        conditionIssues(condition, child(item(child(field, 'matchConditions'), position), 'expression')),
      ),
    ]
  })

/** Rules for built-in kinds beyond the schema, as far as our controllers, users and tests need them. */
export const builtInRules: Readonly<Record<string, Check>> = {
  Pod: podIssues,
  Deployment: workloadIssues,
  ReplicaSet: workloadIssues,
  DaemonSet: workloadIssues,
  StatefulSet: workloadIssues,
  ConfigMap: dataIssues,
  Secret: dataIssues,
  MutatingWebhookConfiguration: webhookIssues,
  ValidatingWebhookConfiguration: webhookIssues,
}
