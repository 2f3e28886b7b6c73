import type { ConfigMap, Secret } from '../../kube/core-objects.ts'
import type { Pod } from '../controllers/types.ts'
import { expandVariables } from './expand-variables.ts'
import { fieldValue, type PodPlace } from './field-values.ts'
import type { ContainerFields, EnvironmentSource, EnvironmentVariable, KeySelector } from './pod-fields.ts'

/** What a container refers to is missing, or is nothing that this kubelet can give. The message names the field. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** ConfigMaps and Secrets by name; undefined for one that is not there. */
export interface ReferredObjects {
  configMap(name: string): ConfigMap | undefined
  secret(name: string): Secret | undefined
}

export interface EnvironmentInputs {
  readonly pod: Pod
  readonly place: PodPlace
  readonly objects: ReferredObjects
  /** Of the node: where the API server is. The container's own come before. */
  readonly base: Readonly<Record<string, string>>
}

/** Names of what a container's environment is made from, to be read before. */
export function referredByEnvironment({ env = [], envFrom = [] }: ContainerFields): {
  configMaps: string[]
  secrets: string[]
} {
  const sources = env.flatMap(({ valueFrom }) => valueFrom ?? [])
  return {
    configMaps: [
      ...envFrom.map(({ configMapRef }) => configMapRef),
      ...sources.map((one) => one.configMapKeyRef),
    ].flatMap((one) => one?.name ?? []),
    secrets: [...envFrom.map(({ secretRef }) => secretRef), ...sources.map((one) => one.secretKeyRef)].flatMap(
      (one) => one?.name ?? [],
    ),
  }
}

/**
 * The variables of a container, in the order in which they are set.
 * @throws {ConfigError}
 */
export function environmentOf(container: ContainerFields, inputs: EnvironmentInputs): Map<string, string> {
  const values = new Map(Object.entries(inputs.base))
  for (const [name, value] of fromWholeObjects(container, inputs.objects)) values.set(name, value)
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, values, inputs)
    if (value !== undefined) values.set(variable.name, value)
  }
  return values
}

function* fromWholeObjects({ envFrom = [] }: ContainerFields, objects: ReferredObjects): Iterable<[string, string]> {
  for (const { prefix = '', configMapRef, secretRef } of envFrom) {
    const reference = configMapRef ?? secretRef
    if (reference === undefined) continue
    const kind = configMapRef === undefined ? 'secret' : 'configmap'
    const data = dataOf(objects, kind, reference.name ?? '')
    if (data === undefined && reference.optional !== true)
      throw new ConfigError(`${kind} "${reference.name}" not found`)
    for (const key of [...(data?.keys() ?? [])].sort()) yield [`${prefix}${key}`, data!.get(key)!]
  }
}

function variableValue(
  { name, value = '', valueFrom }: EnvironmentVariable,
  values: ReadonlyMap<string, string>,
  inputs: EnvironmentInputs,
): string | undefined {
  // A variable of the container may refer to those before it only.
  return valueFrom === undefined ? expandVariables(value, values) : referredValue(name, valueFrom, inputs)
}

function referredValue(name: string, source: EnvironmentSource, inputs: EnvironmentInputs): string | undefined {
  const { fieldRef, configMapKeyRef, secretKeyRef } = source
  if (fieldRef !== undefined) {
    const value = fieldValue(inputs.pod, fieldRef.fieldPath, inputs.place)
    if (value !== undefined) return value
    throw new ConfigError(`env ${name}: fieldRef ${fieldRef.fieldPath} is no field that can be referred to`)
  }
  if (configMapKeyRef !== undefined) return keyValue(inputs.objects, 'configmap', configMapKeyRef)
  if (secretKeyRef !== undefined) return keyValue(inputs.objects, 'secret', secretKeyRef)
  const kinds = Object.keys(source).join(', ')
  throw new ConfigError(`env ${name}: valueFrom.${kinds} is not supported on this node; write the value itself`)
}

function keyValue(
  objects: ReferredObjects,
  kind: 'configmap' | 'secret',
  { name = '', key, optional }: KeySelector,
): string | undefined {
  const data = dataOf(objects, kind, name)
  const value = data?.get(key)
  if (value !== undefined || optional === true) return value
  if (data === undefined) throw new ConfigError(`${kind} "${name}" not found`)
  throw new ConfigError(`couldn't find key ${key} in ${kind === 'secret' ? 'Secret' : 'ConfigMap'} ${name}`)
}

function dataOf(
  objects: ReferredObjects,
  kind: 'configmap' | 'secret',
  name: string,
): ReadonlyMap<string, string> | undefined {
  if (kind === 'configmap') {
    const found = objects.configMap(name)
    return found && new Map(Object.entries(found.data ?? {}))
  }
  const found = objects.secret(name)
  return found && new Map(Object.entries(found.data ?? {}).map(([key, text]) => [key, decoded(text)]))
}

const decoded = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')
