import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { mebibyte } from '../../base/bytes.ts'
import { textsOf } from '../../kube/read-object.ts'
import { LOG_FLAG, type SeccompReports } from '../../profile/context.ts'
import { parseObject } from './oci-spec.ts'

/** A runtime handler of containerd's CRI plugin, which pods can select. */
export interface RuntimeHandler {
  name: string
  type: string
  /** path of the shim, if it differs from the path that the type implies */
  path: string
  /** The program that the shim runs; empty: `runc`; undefined if the configuration does not name it. */
  binary: string | undefined
}

/** Maximum handlers that are queried. A node has a few handlers, and a query starts two processes. */
const MAX_HANDLERS = 16
const largestConfiguration = mebibyte
const largestFeatures = mebibyte

const runtimesOf = Type.Object({
  containerd: Type.Object({ runtimes: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())) }),
})

/**
 * Reads the handlers from the configuration that containerd reports by CRI.
 * @returns undefined if the configuration cannot be read or has no handlers
 */
export function handlersOf(configuration: string): RuntimeHandler[] | undefined {
  const read = configuration.length > largestConfiguration ? undefined : parseObject(configuration)
  if (!Value.Check(runtimesOf, read)) return undefined
  const { runtimes } = read.containerd
  const handlers = Object.entries(runtimes).map(([name, { runtimeType, runtimePath, options }]) => ({
    name,
    type: textOf(runtimeType),
    path: textOf(runtimePath),
    binary: binaryOf(options),
  }))
  return handlers.length === 0 ? undefined : handlers
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/**
 * The program that the options name. The keys are from TOML, where containerd does not distinguish upper and lower
 * case.
 */
function binaryOf(options: unknown): string | undefined {
  if (options === undefined || options === null) return ''
  if (typeof options !== 'object' || Array.isArray(options)) return undefined
  const named = Object.entries(options).filter(([key]) => key.toLowerCase().replaceAll('_', '') === 'binaryname')
  const [first] = named
  if (first === undefined) return ''
  return named.length === 1 && typeof first[1] === 'string' ? first[1] : undefined
}

/** The seccomp flags in `features.md` of the OCI runtime specification. */
const featuresOf = Type.Object({
  linux: Type.Object({ seccomp: Type.Object({ supportedFlags: Type.Array(Type.String()) }) }),
})

/** Annotations in which runtimes report their version. */
const versions = { runc: 'org.opencontainers.runc.version', crun: 'run.oci.crun.version' }

/** An OCI runtime's description of itself: its name with version, and the flags that it supports. */
export interface Features {
  title: string
  flags: readonly string[]
}

/**
 * @param text the program's answer to `features`, which may be any text
 * @param handler name for a program that does not report its name
 */
export function readFeatures(text: string, handler: string): Features {
  const read = text.length > largestFeatures ? undefined : parseObject(text)
  const annotations = textsOf(read?.['annotations'])
  const titles = Object.entries(versions).flatMap(([program, key]) => {
    const version = wordOf(annotations[key])
    return version === '' ? [] : [`${program} ${version}`]
  })
  return {
    title: titles[0] ?? handler,
    flags: Value.Check(featuresOf, read) ? read.linux.seccomp.supportedFlags : [],
  }
}

/** The calls to a container runtime. If a call fails with a RuntimeError, the whole query fails. */
export interface AskRuntimes {
  /** name and version of the runtime */
  title: string
  /** Undefined if the runtime does not list its handlers. */
  handlers(): Promise<readonly RuntimeHandler[] | undefined>
  /** The answer of the handler's program to `features`; undefined if it does not answer. */
  features(handler: RuntimeHandler): Promise<string | undefined>
}

/** The type of shim that runs an OCI runtime and can ask it for its features. */
const RUNC_TYPE = 'io.containerd.runc.v2'

/**
 * The seccomp flags that profiles may have on the node: the flags that the programs of all handlers support. A handler
 * without an answer counts as supporting no flags.
 */
export async function askForFlags({ title, handlers, features }: AskRuntimes): Promise<SeccompReports> {
  const all = await handlers()
  if (all === undefined) return unreported(title, 'it does not report its runtime handlers')
  if (all.length > MAX_HANDLERS) return unreported(title, `it has more than ${MAX_HANDLERS} runtime handlers`)
  const answers = new Map<string, Features>()
  for (const handler of all) {
    const name = `runtime handler ${wordOf(handler.name) || '(with an invalid name)'}`
    const { type, path, binary } = handler
    if (type !== RUNC_TYPE)
      return unreported(name, `its type is not ${RUNC_TYPE}, which can report the features of its program`)
    if (binary === undefined) return unreported(name, 'its configuration does not name its program clearly')
    const program = JSON.stringify([path, binary])
    if (answers.has(program)) continue
    const text = await features(handler)
    if (text === undefined) return unreported(name, 'its program does not answer the command "features"')
    const answer = readFeatures(text, name)
    if (!answer.flags.includes(LOG_FLAG)) return unreported(answer.title, `it does not support ${LOG_FLAG}; update it`)
    answers.set(program, answer)
  }
  const [first, ...rest] = answers.values()
  return { flags: first?.flags.filter((flag) => rest.every(({ flags }) => flags.includes(flag))) ?? [] }
}

/** @param by name of the program that the report blames */
export const unreported = (by: string, why: string): SeccompReports => ({
  by,
  why: `${by}: ${why}. Without ${LOG_FLAG} the kernel does not report the calls that a filter refuses`,
})

/**
 * The value if it is a short word; otherwise an empty text, because the name or version may be from an untrusted
 * program.
 */
export const wordOf = (value: unknown): string => {
  const text = textOf(value)
  return /^[\w.+~:-]{1,40}$/.test(text) ? text : ''
}
