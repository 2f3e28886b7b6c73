import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { mebibyte } from '../../base/bytes.ts'
import { LOG_FLAG, type SeccompReports } from '../../profile/context.ts'
import { parseObject, textsOf } from './oci-spec.ts'

/** A runtime that pods can ask for by its handler, as containerd's CRI part has it. */
export interface RuntimeHandler {
  name: string
  type: string
  /** Of its shim, where it is not the one that the type names. */
  path: string
  /** The program that the shim runs; empty for `runc`; undefined where the configuration does not say it clearly. */
  binary: string | undefined
}

/** Handlers that are asked. A node has a few; each one costs two processes. */
const MAX_HANDLERS = 16
const largestConfiguration = mebibyte
const largestFeatures = mebibyte

const runtimesOf = Type.Object({
  containerd: Type.Object({ runtimes: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())) }),
})

/**
 * The handlers in the configuration that containerd tells by CRI.
 * @returns undefined where it cannot be read, or has none
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

/** The keys are those of TOML, in which containerd takes upper case for lower case. */
function binaryOf(options: unknown): string | undefined {
  if (options === undefined || options === null) return ''
  if (typeof options !== 'object' || Array.isArray(options)) return undefined
  const named = Object.entries(options).filter(([key]) => key.toLowerCase().replaceAll('_', '') === 'binaryname')
  const [first] = named
  if (first === undefined) return ''
  return named.length === 1 && typeof first[1] === 'string' ? first[1] : undefined
}

/** `features.md` of the OCI runtime specification; of it, what a seccomp profile may have. */
const featuresOf = Type.Object({
  linux: Type.Object({ seccomp: Type.Object({ supportedFlags: Type.Array(Type.String()) }) }),
})

/** The names under which runtimes tell their version. */
const versions = { runc: 'org.opencontainers.runc.version', crun: 'run.oci.crun.version' }

/** What an OCI runtime says of itself: its name with its version, and the flags that a filter may have. */
export interface Features {
  title: string
  flags: readonly string[]
}

/**
 * @param text what the program answered to `features`, which may be anything
 * @param handler what it is called where it does not say what it is
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

/** How a container runtime is asked. What fails with a RuntimeError, fails the question. */
export interface AskRuntimes {
  /** Its name and version. */
  title: string
  /** Undefined where it does not say. */
  handlers(): Promise<readonly RuntimeHandler[] | undefined>
  /** What the handler's program answers to `features`; undefined where it answers nothing. */
  features(handler: RuntimeHandler): Promise<string | undefined>
}

/** The type whose shim runs an OCI runtime, and asks it for its features. */
const RUNC_TYPE = 'io.containerd.runc.v2'

/** What profiles may have on the node: the flags that each handler takes. A handler that does not say takes none. */
export async function askForFlags({ title, handlers, features }: AskRuntimes): Promise<SeccompReports> {
  const all = await handlers()
  if (all === undefined) return unreported(title, 'it does not say which runtimes it has')
  if (all.length > MAX_HANDLERS) return unreported(title, `it has more than ${MAX_HANDLERS} runtime handlers`)
  const answers = new Map<string, Features>()
  for (const handler of all) {
    const name = `runtime handler ${wordOf(handler.name) || '(its name is no word)'}`
    const { type, path, binary } = handler
    if (type !== RUNC_TYPE) return unreported(name, `its type is not ${RUNC_TYPE}, which says what its program can`)
    if (binary === undefined) return unreported(name, 'its configuration does not say which program it runs')
    const program = JSON.stringify([path, binary])
    if (answers.has(program)) continue
    const text = await features(handler)
    if (text === undefined) return unreported(name, 'its program does not answer to "features"')
    const answer = readFeatures(text, name)
    if (!answer.flags.includes(LOG_FLAG)) return unreported(answer.title, `it does not take ${LOG_FLAG}; update it`)
    answers.set(program, answer)
  }
  const [first, ...rest] = answers.values()
  return { flags: first?.flags.filter((flag) => rest.every(({ flags }) => flags.includes(flag))) ?? [] }
}

/** @param by what a report blames, in a few words */
export const unreported = (by: string, why: string): SeccompReports => ({
  by,
  why: `${by}: ${why}. Without that flag the kernel does not report what a filter refuses`,
})

/** A name or version if it is a word of a few characters, else an empty text: a stranger may have written it. */
export const wordOf = (value: unknown): string => {
  const text = textOf(value)
  return /^[\w.+~:-]{1,40}$/.test(text) ? text : ''
}
