import { existsSync } from 'node:fs'
import { type FieldError, formatFieldError } from '../../api/field-error.ts'
import { armorProfileModel } from '../../api/schema/armor-profile-model.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { validateSchema } from '../../api/validate-schema.ts'
import { ApiError, ConnectionError, isNotFound } from '../../kube/api-error.ts'
import { ApiClient } from '../../kube/client.ts'
import { PriorityLimiter } from '../../kube/limiter.ts'
import { armorProfileModels } from '../../kube/own-kinds.ts'
import { isPart } from '../../model/profile/kept-in-object.ts'
import { connect } from '../cluster.ts'
import { readDocuments } from '../documents.ts'
import { InputError, readText } from '../input.ts'
import { printable } from '../output.ts'

export interface ModelArguments {
  kubeconfig?: string
  context?: string
}

/** A command cannot continue. The message is for users. */
export class Trouble extends Error {}

/** The model in the cluster with this name; undefined if a file has this name, or if the text is not NAMESPACE/NAME. */
export function placeInCluster(source: string): { namespace: string; name: string } | undefined {
  const [, namespace, name] = /^([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9.-]{0,252})$/.exec(source) ?? []
  if (namespace === undefined || name === undefined || existsSync(source)) return undefined
  return { namespace, name }
}

/**
 * Reads all ArmorProfileModels of a file (`-` is standard input), or the model NAMESPACE/NAME from the cluster.
 * @throws {Trouble}
 */
export async function modelsFrom(source: string, given: ModelArguments): Promise<ArmorProfileModel[]> {
  const place = placeInCluster(source)
  if (place === undefined) return fromFile(source)
  const object = await withClient(given, source, (client) => client.get(armorProfileModels, place))
  return [checked(object, source)]
}

/**
 * Reads the only ArmorProfileModel of a source.
 * @throws {Trouble}
 */
export async function modelFrom(source: string, given: ModelArguments): Promise<ArmorProfileModel> {
  const [model, ...more] = await modelsFrom(source, given)
  if (model !== undefined && more.length === 0) return model
  const count = more.length + 1
  throw new Trouble(`${shownAs(source)}: contains ${count} ArmorProfileModels; give a file with exactly one`)
}

const shownAs = (file: string): string => (file === '-' ? 'standard input' : file)

async function fromFile(file: string): Promise<ArmorProfileModel[]> {
  const shown = shownAs(file)
  const text = await readText(file, MAX_BYTES).catch((error: unknown) => {
    if (!(error instanceof InputError)) throw error
    throw new Trouble(`${shown}: ${error.message}`)
  })
  const parsed = json(text)
  const objects = parsed === undefined ? objectsOf(shown, text) : itemsOf(parsed)
  const found = objects.filter((one) => (one as { kind?: unknown } | null)?.kind === 'ArmorProfileModel')
  if (found.length > 0) return found.map((one) => checked(one, shown))
  const remedy = 'print one with kubectl get armorprofilemodel -n NAMESPACE NAME -o json'
  throw new Trouble(`${shown}: does not contain an ArmorProfileModel: ${remedy}`)
}

/** Maximum bytes of a file with models. It is larger than for policies. */
const MAX_BYTES = 64 * 1024 * 1024

/** Parses JSON. Undefined if the text is not JSON; it may be YAML. */
function json(text: string): unknown {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    return JSON.parse(text)
  } catch {
    // The YAML parser reads the text next, and reports the error.
    return undefined
  }
}

/** The items of a list, or the object itself. */
function itemsOf(value: unknown): unknown[] {
  const { items } = value as { items?: unknown }
  return Array.isArray(items) ? items : [value]
}

function objectsOf(file: string, text: string): unknown[] {
  const { objects, errors } = readDocuments(file, text)
  const [error] = errors
  if (error !== undefined) throw new Trouble(`${file}:${error.line}:${error.column}: ${error.problem}`)
  return objects.map(({ value }) => value)
}

/** Maximum errors that are listed. */
const MAX_ERRORS = 10

function checked(value: unknown, source: string): ArmorProfileModel {
  const errors = validateSchema(nodeOf(armorProfileModel), value, { newer: true })
  if (errors.length === 0) return value as ArmorProfileModel
  const shown = errors.slice(0, MAX_ERRORS).map(formatFieldError)
  throw new Trouble(`${source}: not a valid ArmorProfileModel:\n${shown.map((line) => `  ${line}`).join('\n')}`)
}

/** An error if the model has no recorded data, or only a part of it; undefined otherwise. */
export function emptiness(model: ArmorProfileModel): FieldError | undefined {
  const isOnDisk = isPart(model)
  if (!isOnDisk && Object.keys(model.data.dynamicResult ?? {}).length > 0) return undefined
  const problem = isOnDisk
    ? 'is not complete in this object, because the manager keeps it on its disk: get it from the status port of the manager (see docs/models.md)'
    : 'is empty: record the workload first'
  return { code: 'REQUIRED', path: 'data.dynamicResult', problem }
}

/**
 * Runs a request to the API server.
 * @param about the model, as the user wrote it
 * @throws {Trouble} if the API server refuses or does not answer
 */
export async function withClient<T>(
  given: ModelArguments,
  about: string,
  ask: (client: ApiClient) => Promise<T>,
): Promise<T> {
  const connection = connect(given)
  if (connection === undefined)
    throw new Trouble(`${about}: there is no file of this name, and no cluster is configured`)
  const client = new ApiClient({ connection, limiter: new PriorityLimiter() })
  try {
    return await ask(client)
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error
    const remedy = isNotFound(error) ? '; kubectl get armorprofilemodels -A lists the existing models' : ''
    throw new Trouble(`${about}: ${error.message}${remedy}`)
  } finally {
    await client.close()
  }
}

/** Prints the message of a Trouble, and returns the exit status. Throws all other errors again. */
export function complain(error: unknown, status: number): number {
  if (!(error instanceof Trouble)) throw error
  process.stderr.write(`${error.message.split('\n').map(printable).join('\n')}\n`)
  return status
}

/** The namespace and name of a model. */
export function placeOf({ metadata }: ArmorProfileModel): { namespace: string; name: string } {
  return { namespace: metadata.namespace ?? 'default', name: metadata.name ?? '' }
}
