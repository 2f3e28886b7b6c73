import type { ResourceCall } from '../../context.ts'
import type { KubeObject } from '../../kube-object.ts'
import { fromStorage } from '../../registry/version-conversion.ts'
import { type ApiResponse, json } from '../../request.ts'
import { at, clone, type JsonObject, type JsonValue, objectOf, textOf } from '../../schema/json.ts'
import { badRequest, invalid } from '../../status.ts'
import { decodeObject } from '../decode-body.ts'
import { writeOptions } from '../options.ts'
import { readPatch } from '../patch-object.ts'
import { prepareForUpdate } from '../prepare-object.ts'
import { readStored } from '../read-object.ts'
import { updateObject } from '../update-object.ts'

/** Where a resource has what a Scale shows. */
interface ScalePaths {
  readonly replicas: readonly string[]
  readonly observed: readonly string[]
  readonly selector: readonly string[] | undefined
}

const builtInPaths: ScalePaths = {
  replicas: ['spec', 'replicas'],
  observed: ['status', 'replicas'],
  selector: ['spec', 'selector'],
}

const split = (path: string): string[] => path.split('.').filter((step) => step !== '')

function pathsOf({ resource }: ResourceCall): ScalePaths {
  const scale = resource.custom?.scale
  if (!scale) return builtInPaths
  return {
    replicas: split(scale.specReplicasPath),
    observed: split(scale.statusReplicasPath),
    selector: scale.labelSelectorPath === undefined ? undefined : split(scale.labelSelectorPath),
  }
}

/** GET, PUT and PATCH of `scale`: an object of autoscaling/v1 that stands for the replicas of another. */
export async function handleScale(call: ResourceCall): Promise<ApiResponse> {
  const paths = pathsOf(call)
  if (call.info.verb === 'get') return json(200, scaleOf(fromStorage(call.resource, readStored(call)), paths))
  const isPatch = call.info.verb === 'patch'
  const read = isPatch ? readPatch(call) : undefined
  const options = read?.options ?? writeOptions(call.query, 'Update')
  const sent = read ? undefined : decodeObject(call, options)
  const produce = async (current: KubeObject | undefined): Promise<KubeObject> => {
    const scale = sent ?? ((await read!.update.produce(scaleOf(current!, paths))) as KubeObject)
    return withReplicas(current!, scale, paths)
  }
  const updated = await updateObject(
    call,
    {
      name: call.info.name,
      createMissing: false,
      produce,
      seenByAdmission: (object) => scaleOf(object, paths),
      prepare: (draft, old) => prepareForUpdate(call.resource, draft, old),
    },
    options,
  )
  return json(200, scaleOf(updated.object, paths))
}

function scaleOf(object: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const selector = paths.selector && selectorText(at(object, ...paths.selector))
  const replicas = at(object, ...paths.replicas)
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: JSON.parse(JSON.stringify({ name, namespace, uid, resourceVersion, creationTimestamp })),
    spec: typeof replicas === 'number' && replicas !== 0 ? { replicas } : {},
    status: { replicas: at(object, ...paths.observed) ?? 0, ...(selector ? { selector } : {}) },
  }
}

/** A label selector as text, keys in order; custom resources have the text itself. */
function selectorText(selector: JsonValue | undefined): string {
  if (typeof selector === 'string') return selector
  const { matchLabels, matchExpressions, ...plain } = objectOf(selector)
  const labels = matchLabels === undefined && matchExpressions === undefined ? plain : objectOf(matchLabels)
  const terms = Object.entries(labels).map(([key, value]) => [key, `${key}=${textOf(value)}`] as const)
  const expressions = (Array.isArray(matchExpressions) ? matchExpressions : []).map(objectOf).map(expressionText)
  return [...terms, ...expressions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text)
    .join(',')
}

function expressionText({ key, operator, values }: JsonObject): readonly [string, string] {
  const name = textOf(key)
  const list = Array.isArray(values) ? `(${values.map(textOf).sort().join(',')})` : ''
  const texts: Record<string, string> = {
    In: `${name} in ${list}`,
    NotIn: `${name} notin ${list}`,
    Exists: name,
    DoesNotExist: `!${name}`,
  }
  return [name, texts[textOf(operator)] ?? name]
}

function withReplicas(current: KubeObject, scale: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, resourceVersion, uid } = scale.metadata
  if (name !== undefined && name !== '' && name !== current.metadata.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`)
  if (namespace !== undefined && namespace !== current.metadata.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  const replicas = objectOf(scale['spec'])['replicas'] ?? 0
  if (typeof replicas !== 'number' || replicas < 0)
    throw invalid({ group: 'autoscaling', kind: 'Scale' }, current.metadata.name, [
      {
        type: 'FieldValueInvalid',
        field: 'spec.replicas',
        value: replicas,
        detail: 'must be greater than or equal to 0',
      },
    ])
  const draft = clone(current)
  setAt(draft, paths.replicas, replicas)
  // Without a version the write is on whatever is there, which is what was read.
  draft.metadata.resourceVersion = resourceVersion || current.metadata.resourceVersion!
  if (uid) draft.metadata.uid = uid
  return draft
}

function setAt(object: JsonObject, path: readonly string[], value: JsonValue): void {
  const [step = '', ...rest] = path
  if (rest.length === 0) object[step] = value
  else {
    const inner = objectOf(object[step])
    object[step] = inner
    setAt(inner, rest, value)
  }
}
