import { existsSync } from 'node:fs'
import { group, version } from '../../api/crds.ts'
import { formatFieldError } from '../../api/field-error.ts'
import { armorProfileModel } from '../../api/schema/armor-profile-model.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { validateSchema } from '../../api/validate-schema.ts'
import { ApiError, ConnectionError } from '../../kube/api-error.ts'
import { ApiClient } from '../../kube/client.ts'
import { PriorityLimiter } from '../../kube/limiter.ts'
import type { KubeObject } from '../../kube/objects.ts'
import { defineResource } from '../../kube/resources.ts'
import { connect } from '../cluster.ts'
import { readDocuments } from '../documents.ts'
import { InputError, readText } from '../input.ts'

export interface ModelArguments {
  kubeconfig?: string
  context?: string
}

/** What stands in the way of a command, in words for the user. */
export class Trouble extends Error {}

const models = defineResource<ArmorProfileModel & KubeObject>({
  ...{ group, version },
  plural: 'armorprofilemodels',
  kind: 'ArmorProfileModel',
  namespaced: true,
})

/**
 * The ArmorProfileModel of a file, `-` being standard input, or NAMESPACE/NAME of the cluster.
 * @throws {Trouble}
 */
export async function modelFrom(source: string, given: ModelArguments): Promise<ArmorProfileModel> {
  const [, namespace, name] = /^([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9.-]{0,252})$/.exec(source) ?? []
  const isFile = source === '-' || namespace === undefined || name === undefined || existsSync(source)
  return isFile ? await fromFile(source) : checked(await fromCluster(namespace, name, given), source)
}

async function fromFile(file: string): Promise<ArmorProfileModel> {
  const shown = file === '-' ? 'standard input' : file
  let text: string
  try {
    text = await readText(file, MOST_BYTES)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    throw new Trouble(`${shown}: ${error.message}`)
  }
  const parsed = json(text)
  const objects = parsed === undefined ? objectsOf(shown, text) : itemsOf(parsed)
  return checked(onlyModel(shown, objects), shown)
}

/** Of a model that `kubectl get -o json` prints; more than a policy may have. */
const MOST_BYTES = 64 * 1024 * 1024

/** Undefined for what is no JSON: it may be YAML. */
function json(text: string): unknown {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    return JSON.parse(text)
  } catch {
    // The reader of YAML says where it is wrong.
    return undefined
  }
}

/** Those of a list, or the object itself. */
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

function onlyModel(file: string, objects: readonly unknown[]): unknown {
  const isModel = (one: unknown) => (one as { kind?: unknown } | null)?.kind === 'ArmorProfileModel'
  const found = objects.filter(isModel)
  if (found.length === 1) return found[0]
  throw new Trouble(`${file}: holds ${found.length} objects of the kind ArmorProfileModel, and one is wanted`)
}

/** Mistakes that are named. */
const MOST_ERRORS = 10

function checked(value: unknown, source: string): ArmorProfileModel {
  const errors = validateSchema(nodeOf(armorProfileModel), value).filter(({ code }) => code !== 'UNKNOWN_FIELD')
  if (errors.length === 0) return value as ArmorProfileModel
  const shown = errors.slice(0, MOST_ERRORS).map(formatFieldError)
  throw new Trouble(`${source}: this is no ArmorProfileModel:\n${shown.map((line) => `  ${line}`).join('\n')}`)
}

async function fromCluster(namespace: string, name: string, given: ModelArguments): Promise<unknown> {
  const connection = connect(given)
  if (connection === undefined) throw new Trouble(`${namespace}/${name}: there is no file of this name, and no cluster`)
  const client = new ApiClient({ connection, limiter: new PriorityLimiter() })
  try {
    return await client.get(models, { namespace, name })
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error
    throw new Trouble(`${namespace}/${name}: ${error.message}`)
  } finally {
    await client.close()
  }
}
