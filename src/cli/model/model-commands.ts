import { formatFieldError } from '../../api/field-error.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { isNotFound } from '../../kube/api-error.ts'
import type { ApiClient } from '../../kube/client.ts'
import { armorProfileModels } from '../../kube/own-kinds.ts'
import { Behaviour, fromDynamicResult } from '../../model/behaviour.ts'
import { type Difference, onlyIn } from '../../model/compare/differences.ts'
import { isPart } from '../../model/profile/kept-in-object.ts'
import { misuse } from '../misuse.ts'
import { type Format, print, printable, printData } from '../output.ts'
import { madeModel } from './made-model.ts'
import {
  complain,
  emptiness,
  type ModelArguments,
  modelFrom,
  modelsFrom,
  placeInCluster,
  placeOf,
  Trouble,
  withClient,
} from './model-source.ts'
import { modelText } from './model-text.ts'

export interface ShowArguments extends ModelArguments {
  output: Format
}

/** Prints what models allow. Returns the exit status: 1 if a model cannot be read. */
export async function showCommand(sources: readonly string[], given: ShowArguments): Promise<number> {
  try {
    const models = await readAll(sources, given)
    if (given.output === 'text') print(models.map(modelText).join('\n\n\n'))
    else for (const model of models) await printData(model, given.output)
    return 0
  } catch (error) {
    return complain(error, 1)
  }
}

/** Reads the models of all sources. @throws {Trouble} if a model cannot be read, or has no recorded data */
async function readAll(sources: readonly string[], given: ModelArguments): Promise<ArmorProfileModel[]> {
  const read: ArmorProfileModel[] = []
  for (const source of new Set(sources))
    read.push(...(await modelsFrom(source, given)).map((one) => filled(one, source)))
  return read
}

/** @throws {Trouble} if the model has no recorded data */
export function filled(model: ArmorProfileModel, source: string): ArmorProfileModel {
  const error = emptiness(model)
  if (error === undefined) return model
  throw new Trouble(`${source}: ${formatFieldError(error)}`)
}

/**
 * Prints what only one of two models allows. Returns the exit status: 0 if both allow the same, 1 if not, 2 after an
 * error.
 */
export async function diffCommand(first: string, second: string, given: ShowArguments): Promise<number> {
  try {
    const [one, other] = [await modelFrom(first, given), await modelFrom(second, given)]
    const [a, b] = [filled(one, first), filled(other, second)].map(({ data }) => data.dynamicResult ?? {})
    return await printDifferences({ onlyInFirst: onlyIn(a!, b!), onlyInSecond: onlyIn(b!, a!) }, given.output)
  } catch (error) {
    return complain(error, misuse)
  }
}

async function printDifferences(
  found: { onlyInFirst: Difference[]; onlyInSecond: Difference[] },
  output: Format,
): Promise<number> {
  const lines = [
    ...found.onlyInFirst.map((difference) => `- ${lineOf(difference)}`),
    ...found.onlyInSecond.map((difference) => `+ ${lineOf(difference)}`),
  ]
  if (output !== 'text') await printData(found, output)
  else if (lines.length > 0) print(lines.join('\n'))
  return lines.length === 0 ? 0 : 1
}

const lineOf = ({ enforcer, kind, what }: Difference): string => printable(`${enforcer} ${kind}: ${what}`)

export interface MergeArguments extends ModelArguments {
  output: 'json' | 'yaml'
  generalise: boolean
  as?: string
}

/** Prints a model that allows everything that any of the sources allows. Returns the exit status. */
export async function mergeCommand(sources: readonly string[], given: MergeArguments): Promise<number> {
  const as = given.as === undefined ? undefined : placeInCluster(given.as)
  if (given.as !== undefined && as === undefined)
    return complain(new Trouble(`--as ${given.as}: is not NAMESPACE/NAME`), misuse)
  try {
    const models = await readAll(sources, given)
    const behaviour = new Behaviour()
    for (const { data } of models) behaviour.merge(fromDynamicResult(data.dynamicResult ?? {}))
    await printData(madeModel(behaviour, as ?? placeOf(models[0]!), given.generalise), given.output)
    return 0
  } catch (error) {
    return complain(error, 1)
  }
}

/** Prints models as `kubectl get -o json` does. Returns the exit status. */
export async function exportCommand(
  sources: readonly string[],
  given: ModelArguments & { output: 'json' | 'yaml' },
): Promise<number> {
  const wrong = sources.find((source) => placeInCluster(source) === undefined)
  if (wrong !== undefined)
    return complain(new Trouble(`${wrong}: is not NAMESPACE/NAME of a model in the cluster`), misuse)
  try {
    const items = (await readAll(sources, given)).map(withoutManagedFields)
    await printData(items.length === 1 ? items[0] : { apiVersion: 'v1', kind: 'List', items }, given.output)
    return 0
  } catch (error) {
    return complain(error, 1)
  }
}

/** Removes managedFields, which only Kubernetes needs. */
function withoutManagedFields(object: ArmorProfileModel): ArmorProfileModel {
  const { managedFields: _, ...metadata } = object.metadata as ArmorProfileModel['metadata'] & {
    managedFields?: unknown
  }
  return { ...object, metadata }
}

/** Writes models from files to the cluster. As in upstream, an existing model is merged. Returns the exit status. */
export async function importCommand(files: readonly string[], given: ModelArguments): Promise<number> {
  try {
    for (const object of await readAll(files, given)) {
      const { namespace, name } = placeOf(object)
      const outcome = await withClient(given, `${namespace}/${name}`, (client) => put(client, object))
      print(`armorprofilemodel ${namespace}/${name} ${outcome}`)
    }
    return 0
  } catch (error) {
    return complain(error, 1)
  }
}

const onDisk =
  "the manager keeps a part of this model's recording on its disk, and an import would lose that part: get the whole model from the manager's status port (see docs/models.md), merge both with 'varmor model merge', and store the result with 'kubectl replace'"

/** @throws {Trouble} if a manager has a part of the existing model on its disk */
async function put(client: ApiClient, object: ArmorProfileModel): Promise<string> {
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
  if (isPart(before)) throw new Trouble(`${namespace}/${name}: ${onDisk}`)
  const behaviour = fromDynamicResult(before.data.dynamicResult ?? {})
  behaviour.merge(fromDynamicResult(data.dynamicResult ?? {}))
  const merged = madeModel(behaviour, { namespace, name }, false)
  const { profile } = merged.data
  // As in upstream, profiles in the file have priority over generated profiles, so that manual changes stay.
  const own = data.profile === undefined ? profile : { ...profile!, ...data.profile, name }
  await client.update(armorProfileModels, {
    ...before,
    data: { ...before.data, dynamicResult: merged.data.dynamicResult ?? {}, ...(own && { profile: own }) },
  })
  return 'merged'
}
