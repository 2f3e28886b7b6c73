import type { ArmorProfileModel } from '../../api/types.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { ApiClient } from '../../kube/client.ts'
import { armorProfileModels } from '../../kube/own-kinds.ts'
import { Behaviour, fromDynamicResult } from '../../model/behaviour.ts'
import { type Difference, onlyIn } from '../../model/compare/differences.ts'
import { misuse } from '../misuse.ts'
import { type Format, print, printable, printData } from '../output.ts'
import { madeModel } from './made-model.ts'
import {
  type ClusterArguments,
  complain,
  type LoadedModel,
  placeInCluster,
  placeOf,
  readModel,
  readModels,
  withClient,
} from './model-source.ts'
import { modelText } from './model-text.ts'

export interface ShowArguments extends ClusterArguments {
  output: Format
}

/** Prints what models allow. Returns the exit status: 1 when one cannot be read. */
export async function showCommand(sources: readonly string[], given: ShowArguments): Promise<number> {
  const models = await readAll(sources, given)
  if (models === undefined) return 1
  if (given.output === 'text') print(models.map(({ object }) => modelText(object)).join('\n\n\n'))
  else for (const { object } of models) await printData(object, given.output)
  return 0
}

async function readAll(sources: readonly string[], cluster: ClusterArguments): Promise<LoadedModel[] | undefined> {
  const read: (LoadedModel[] | undefined)[] = []
  for (const source of new Set(sources)) read.push(await readModels(source, cluster))
  return read.includes(undefined) ? undefined : read.flatMap((models) => models ?? [])
}

const trouble = misuse

/** Prints what one model allows and the other does not. Returns 0 when both allow the same, 1 when not, 2 on trouble. */
export async function diffCommand(first: string, second: string, given: ShowArguments): Promise<number> {
  const [one, other] = [await readModel(first, given), await readModel(second, given)]
  if (one === undefined || other === undefined) return trouble
  const [a, b] = [one, other].map(({ object }) => object.data.dynamicResult ?? {})
  const found = { onlyInFirst: onlyIn(a!, b!), onlyInSecond: onlyIn(b!, a!) }
  const lines = [
    ...found.onlyInFirst.map((difference) => `- ${lineOf(difference)}`),
    ...found.onlyInSecond.map((difference) => `+ ${lineOf(difference)}`),
  ]
  if (given.output !== 'text') await printData(found, given.output)
  else if (lines.length > 0) print(lines.join('\n'))
  return lines.length === 0 ? 0 : 1
}

const lineOf = ({ enforcer, kind, what }: Difference): string => printable(`${enforcer} ${kind}: ${what}`)

export interface MergeArguments extends ClusterArguments {
  output: 'json' | 'yaml'
  generalise: boolean
  as?: string
}

/** Prints one model that allows what any of them allows. Returns the exit status. */
export async function mergeCommand(sources: readonly string[], given: MergeArguments): Promise<number> {
  const models = await readAll(sources, given)
  if (models === undefined) return 1
  const identity = given.as === undefined ? placeOf(models[0]!.object) : await placeInCluster(given.as)
  if (identity === undefined) {
    complain(`--as ${given.as}: is no NAMESPACE/NAME`)
    return misuse
  }
  const behaviour = new Behaviour()
  for (const { object } of models) behaviour.merge(fromDynamicResult(object.data.dynamicResult ?? {}))
  const made = madeModel(behaviour, identity, given.generalise)
  if (made === undefined) return 1
  await printData(made, given.output)
  return 0
}

/** Prints models as `kubectl get -o json` does. Returns the exit status. */
export async function exportCommand(
  sources: readonly string[],
  given: ClusterArguments & { output: 'json' | 'yaml' },
): Promise<number> {
  for (const source of sources) {
    if ((await placeInCluster(source)) !== undefined) continue
    complain(`${source}: is no NAMESPACE/NAME of a model in the cluster`)
    return misuse
  }
  const models = await readAll(sources, given)
  if (models === undefined) return 1
  const objects = models.map(({ object }) => withoutManagedFields(object))
  if (objects.length === 1) await printData(objects[0], given.output)
  else await printData({ apiVersion: 'v1', kind: 'List', items: objects }, given.output)
  return 0
}

/** Kubernetes' notes on who has set which field are for itself. */
function withoutManagedFields(object: ArmorProfileModel): ArmorProfileModel {
  const { managedFields: _, ...metadata } = object.metadata as ArmorProfileModel['metadata'] & {
    managedFields?: unknown
  }
  return { ...object, metadata }
}

/** Puts the models of files into the cluster; one that is there is merged, as upstream does it. Returns the exit status. */
export async function importCommand(files: readonly string[], given: ClusterArguments): Promise<number> {
  const models = await readAll(files, given)
  if (models === undefined) return 1
  const done = await withClient(given, async (client) => {
    for (const { object } of models) {
      const { namespace, name } = placeOf(object)
      const outcome = await put(client, object)
      if (outcome === undefined) return false
      print(`armorprofilemodel ${namespace}/${name} ${outcome}`)
    }
    return true
  })
  return done === true ? 0 : 1
}

async function put(client: ApiClient, object: ArmorProfileModel): Promise<string | undefined> {
  const { namespace, name } = placeOf(object)
  const { apiVersion, kind, storageType, data } = object
  const metadata = { name, namespace }
  const before = await client.get(armorProfileModels, { namespace, name }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined
    throw error
  })
  if (before === undefined) {
    await client.create(armorProfileModels, { apiVersion, kind, metadata, ...(storageType && { storageType }), data })
    return 'created'
  }
  const behaviour = fromDynamicResult(before.data.dynamicResult ?? {})
  behaviour.merge(fromDynamicResult(data.dynamicResult ?? {}))
  const merged = madeModel(behaviour, { namespace, name }, false)
  if (merged === undefined) return undefined
  const { profile } = merged.data
  // What of the profiles was changed by hand in the file counts, as it does upstream.
  const own = data.profile === undefined ? profile : { ...profile!, ...data.profile, name }
  await client.update(armorProfileModels, {
    ...before,
    data: { ...before.data, dynamicResult: merged.data.dynamicResult ?? {}, ...(own && { profile: own }) },
  })
  return 'merged'
}
