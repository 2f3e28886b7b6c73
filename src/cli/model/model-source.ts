import { access } from 'node:fs/promises'
import type { FieldError } from '../../api/field-error.ts'
import { armorProfileModel } from '../../api/schema/armor-profile-model.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { validateSchema } from '../../api/validate-schema.ts'
import { ApiError, ConnectionError, isNotFound } from '../../kube/api-error.ts'
import { ApiClient } from '../../kube/client.ts'
import { PriorityLimiter } from '../../kube/limiter.ts'
import { armorProfileModels } from '../../kube/own-kinds.ts'
import { connect } from '../cluster.ts'
import { readDocuments } from '../documents.ts'
import { type Finding, finding, nameOf } from '../gather.ts'
import { InputError, readText } from '../input.ts'
import { printable, printFindings, printIgnored } from '../output.ts'

export interface ClusterArguments {
  kubeconfig?: string
  context?: string
}

/** A model, and where it is from: a file, or `namespace/name` in the cluster. */
export interface LoadedModel {
  from: string
  object: ArmorProfileModel
}

const inCluster = /^([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9.-]{0,252})$/

/** The namespace and name that the text is, when no file is called so. */
export async function placeInCluster(source: string): Promise<{ namespace: string; name: string } | undefined> {
  const [, namespace, name] = inCluster.exec(source) ?? []
  if (namespace === undefined || name === undefined || (await isFile(source))) return undefined
  return { namespace, name }
}

async function isFile(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/**
 * The models of a file, or of `namespace/name` in the cluster. What is wrong is printed on standard error.
 * @returns undefined when something is
 */
export async function readModels(source: string, cluster: ClusterArguments): Promise<LoadedModel[] | undefined> {
  const place = await placeInCluster(source)
  if (place === undefined) return modelsOfFile(source)
  const object = await withClient(cluster, (client) => client.get(armorProfileModels, place))
  if (object === undefined) return undefined
  return checked([{ from: source, object, findings: findingsOf(source, object) }])
}

/** One model. @returns undefined when there is none, or more, which is printed */
export async function readModel(source: string, cluster: ClusterArguments): Promise<LoadedModel | undefined> {
  const models = await readModels(source, cluster)
  if (models === undefined) return undefined
  const [model, ...more] = models
  if (more.length === 0) return model
  complain(`${source}: holds ${models.length} models, and one is wanted here: put each into a file of its own`)
  return undefined
}

async function modelsOfFile(file: string): Promise<LoadedModel[] | undefined> {
  const shown = file === '-' ? 'standard input' : file
  try {
    const { objects, errors } = readDocuments(shown, await readText(file))
    const findings = errors.map(({ problem, ...place }): Finding => ({ ...place, error: unparsable(problem) }))
    const models = objects.filter(({ value }) => value['kind'] === 'ArmorProfileModel')
    const others = objects.filter((object) => !models.includes(object))
    printIgnored(others.map((source) => `${shown}: document ${source.document}: ${nameOf(source)}`))
    if (models.length === 0 && findings.length === 0) findings.push({ file: shown, error: unparsable(noModel) })
    return checked([
      { from: shown, findings },
      ...models.map((source) => ({
        from: shown,
        object: source.value as unknown as ArmorProfileModel,
        findings: errorsOf(source.value).map((error) => finding(source, error)),
      })),
    ])
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    printFindings([{ file: shown, error: unparsable(error.message) }])
    return undefined
  }
}

const noModel = 'holds no ArmorProfileModel: kubectl get armorprofilemodel -n NAMESPACE NAME -o json prints one'

const unparsable = (problem: string): FieldError => ({ code: 'UNPARSABLE', path: '', problem })

function findingsOf(file: string, object: object): Finding[] {
  return errorsOf(object).map((error) => ({ file, error }))
}

function errorsOf(object: object): FieldError[] {
  const errors = validateSchema(nodeOf(armorProfileModel), object)
  const { data, storageType } = object as { data?: { dynamicResult?: object }; storageType?: string }
  if (errors.length > 0 || Object.keys(data?.dynamicResult ?? {}).length > 0) return errors
  const problem =
    storageType === 'LocalDisk'
      ? 'is not in this object, as the manager keeps it on its disk: get it from the status port of the manager, as docs/models.md says'
      : 'is empty, so there is nothing to be done with the model: record the workload first'
  return [{ code: 'REQUIRED', path: 'data.dynamicResult', problem }]
}

function checked(read: { from: string; object?: ArmorProfileModel; findings: Finding[] }[]): LoadedModel[] | undefined {
  const findings = read.flatMap((one) => one.findings)
  if (findings.length === 0) return read.flatMap(({ from, object }) => (object === undefined ? [] : [{ from, object }]))
  printFindings(findings)
  return undefined
}

/** Asks the API server. @returns undefined when it refuses or does not answer, which is printed */
export async function withClient<T>(
  { kubeconfig, context }: ClusterArguments,
  ask: (client: ApiClient) => Promise<T>,
): Promise<T | undefined> {
  const options = { ...(kubeconfig !== undefined && { kubeconfig }), ...(context !== undefined && { context }) }
  const connection = connect(options)
  if (connection === undefined) return undefined
  const client = new ApiClient({ connection, limiter: new PriorityLimiter() })
  try {
    return await ask(client)
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof ConnectionError)) throw error
    const remedy = isNotFound(error) ? '; kubectl get armorprofilemodels -A lists what there is' : ''
    complain(`${error.message}${remedy}`)
    return undefined
  } finally {
    await client.close()
  }
}

/** One line on standard error. */
export function complain(text: string): void {
  process.stderr.write(`error: ${printable(text)}\n`)
}

/** `namespace/name` of the object. */
export function placeOf({ metadata }: ArmorProfileModel): { namespace: string; name: string } {
  return { namespace: metadata.namespace ?? 'default', name: metadata.name ?? '' }
}
