import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

const processOf = Type.Object({ apparmorProfile: Type.Optional(Type.Union([Type.String(), Type.Null()])) })
const linuxOf = Type.Object({ seccomp: Type.Optional(Type.Unknown()) })

/** The parts that we use of an OCI runtime spec (config.md), which runtimes keep as JSON. */
export interface OciSpec {
  annotations: Record<string, string>
  process?: Static<typeof processOf>
  linux?: Static<typeof linuxOf>
}

/** @returns undefined for what is no JSON object */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asObject(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const asObject = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined

/** What fits of a spec. A container without a spec that can be read is of no pod that is known. */
export function readSpec(value: unknown): OciSpec {
  const { annotations, process, linux } = asObject(value) ?? {}
  return {
    annotations: textsOf(annotations),
    ...(Value.Check(processOf, process) && { process }),
    ...(Value.Check(linuxOf, linux) && { linux }),
  }
}

/** The texts of a map by their keys. Values of other types are left out, so a bad value does not cost the texts. */
export const textsOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(asObject(value) ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
