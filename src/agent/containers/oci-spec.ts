import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { isRecord } from '../../base/is-record.ts'
import { textsOf } from '../../kube/read-object.ts'

const processOf = Type.Object({ apparmorProfile: Type.Optional(Type.Union([Type.String(), Type.Null()])) })
const linuxOf = Type.Object({ seccomp: Type.Optional(Type.Unknown()) })

/** The fields of an OCI runtime spec (config.md) that we use. Runtimes store the spec as JSON. */
export interface OciSpec {
  annotations: Record<string, string>
  process?: Static<typeof processOf>
  linux?: Static<typeof linuxOf>
}

/** @returns undefined if the text is not a JSON object */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asObject(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const asObject = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  isRecord(value) ? value : undefined

/** The valid fields of a spec. If the spec cannot be read, the container counts as a container without a pod. */
export function readSpec(value: unknown): OciSpec {
  const { annotations, process, linux } = asObject(value) ?? {}
  return {
    annotations: textsOf(annotations),
    ...(Value.Check(processOf, process) && { process }),
    ...(Value.Check(linuxOf, linux) && { linux }),
  }
}
