import type { V1EnvVar } from '@kubernetes/client-node'
import type { Container, Pod } from '../controllers/objects.ts'
import { ConfigError, fieldValue, type ObjectSource, type PodObjects, type PodPlace } from './pod-objects.ts'

/** Matches `$$`, `$(NAME)`, or an incomplete reference. */
const reference = /\$(?:\$|\(([^)]*)\)|(?=.|$))/gs

/**
 * Replaces `$(NAME)` by the value of the variable, and `$$` by a dollar sign. Unknown or incomplete references stay
 * unchanged.
 */
export const expandVariables = (text: string, values: ReadonlyMap<string, string>): string =>
  text.replace(reference, (whole, name: string | undefined) => {
    if (whole === '$$') return '$'
    return name === undefined ? whole : (values.get(name) ?? whole)
  })

export interface EnvironmentInputs {
  readonly pod: Pod
  readonly place: PodPlace
  readonly objects: Pick<PodObjects, 'data'>
  /**
   * Variables that every container of the node has, such as the API server's address. The container's own variables
   * take precedence.
   */
  readonly base: Readonly<Record<string, string>>
}

/** A container's variables, in the order of their definition. @throws {ConfigError} */
export async function environmentOf(container: Container, inputs: EnvironmentInputs): Promise<Map<string, string>> {
  const values = new Map(Object.entries(inputs.base))
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    const data = await inputs.objects.data(inputs.pod, sourceOf(configMapRef, secretRef))
    for (const key of [...(data?.keys() ?? [])].sort()) values.set(`${prefix}${key}`, data!.get(key)!.toString())
  }
  for (const variable of container.env ?? []) {
    const value = await resolved(variable, values, inputs)
    if (value !== undefined) values.set(variable.name, value)
  }
  return values
}

type Reference = { name?: string; optional?: boolean }

function sourceOf(configMap: Reference | undefined, secret: Reference | undefined): ObjectSource {
  const { name, optional } = configMap ?? secret ?? {}
  return { kind: configMap === undefined ? 'secret' : 'configmap', name, optional }
}

async function resolved(
  { name, value = '', valueFrom }: V1EnvVar,
  values: ReadonlyMap<string, string>,
  { pod, place, objects }: EnvironmentInputs,
): Promise<string | undefined> {
  // A variable may refer only to earlier variables.
  if (valueFrom === undefined) return expandVariables(value, values)
  const { fieldRef, configMapKeyRef, secretKeyRef } = valueFrom
  if (fieldRef !== undefined) return fieldValue(pod, fieldRef.fieldPath, place)
  const selector = configMapKeyRef ?? secretKeyRef
  if (selector === undefined)
    throw new ConfigError(`env ${name}: valueFrom.${Object.keys(valueFrom).join()} is not supported on this node`)
  const source = sourceOf(configMapKeyRef, secretKeyRef)
  const found = (await objects.data(pod, source))?.get(selector.key)
  if (found === undefined && !source.optional)
    throw new ConfigError(`env ${name}: ${source.kind} ${source.name} does not have the key ${selector.key}`)
  return found?.toString()
}
