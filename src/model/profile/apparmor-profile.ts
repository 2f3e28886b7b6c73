import { join } from '../../api/field-error.ts'
import type { DynamicResult } from '../../api/types.ts'
import { readCustomProfile } from '../../profile/apparmor/custom-profile.ts'
import { comment, literal, quoted } from '../../profile/apparmor/quoted.ts'
import { newestAppArmor } from '../../profile/context.ts'
import type { Result, Skipped } from '../../profile/result.ts'
import { capabilities } from '../../rules/capabilities.ts'
import { socketDomains, socketTypes } from '../../rules/meaning.ts'
import type { Explanation } from '../generalise/generalise.ts'
import { fileLines, isPath, type Line } from './file-lines.ts'
import { appArmorNeeds } from './runtime-needs.ts'

const path = 'data.dynamicResult.appArmor'

/**
 * Maximum bytes of the profile. It is part of an object, and the API server's storage accepts at most 1.5 MiB for each
 * object.
 */
const MAX_BYTES = 900_000

type AppArmorFacts = NonNullable<DynamicResult['appArmor']>

/** Lines of one kind, and the field of the model from which they come. */
interface Section {
  field: keyof AppArmorFacts
  title: string
  lines: Line[]
}

const is = (list: readonly string[], word: string | undefined): boolean => word !== undefined && list.includes(word)

function executionLine(file: string): Line {
  return isPath(file) && !file.endsWith('/')
    ? { line: `${quoted(literal(file))} rmix,` }
    : { rule: file, reason: 'is not the path of a program' }
}

function capabilityLine(name: string): Line {
  return is(capabilities, name) ? { line: `capability ${name},` } : { rule: name, reason: 'is not a capability' }
}

type Socket = NonNullable<NonNullable<AppArmorFacts['networks']>['sockets']>[number]

function socketLine({ domain = '', type = '' }: Socket): Line {
  const family = domain.toLowerCase().replace(/^af_/, '')
  const kind = type.toLowerCase().replace(/^sock_/, '')
  if (!is(socketDomains, family))
    return { rule: `${domain} ${type}`, reason: 'is not a socket family that AppArmor knows' }
  return { line: is(socketTypes, kind) && kind !== 'dccp' ? `network ${family} ${kind},` : `network ${family},` }
}

/**
 * The label of a peer for a rule. In complain mode, a program without a rule runs in a profile named `//null-…`. With
 * the new profile, this program runs in the profile itself, so the label becomes the profile's name.
 */
function peerOf(peer: string, own: ReadonlySet<string>): string | undefined {
  const label = peer.replace(/\/\/null-.*$/s, '')
  if (own.has(label)) return '@{profile_name}'
  return /^[\w./:-]+$/.test(label) ? quoted(literal(label)) : undefined
}

const traces: Readonly<Record<string, string>> = {
  read: 'read',
  trace: 'trace',
  readby: 'readby',
  tracedby: 'tracedby',
  traceby: 'tracedby',
}

type Ptrace = NonNullable<AppArmorFacts['ptraces']>[number]
type Signal = NonNullable<AppArmorFacts['signals']>[number]

function ptraceLine({ peer = '', permissions }: Ptrace, own: ReadonlySet<string>): Line {
  const label = peerOf(peer, own)
  const words = [...new Set(permissions.flatMap((word) => traces[word] ?? []))].sort()
  if (label === undefined || words.length === 0)
    return { rule: `ptrace ${peer}`, reason: 'lacks a peer or a permission that AppArmor knows' }
  return { line: `ptrace (${words.join(',')}) peer=${label},` }
}

function signalLine({ peer, permissions, signals }: Signal, own: ReadonlySet<string>): Line {
  const label = peerOf(peer, own)
  const words = permissions.filter((word) => word === 'send' || word === 'receive').sort()
  const names = signals.filter((name) => /^(?:[a-z]+[12]?|rtmin\+\d{1,2})$/.test(name)).sort()
  if (label === undefined || words.length === 0 || names.length === 0) {
    return { rule: `signal ${peer}`, reason: 'lacks a peer, a permission or a signal that AppArmor knows' }
  }
  return { line: `signal (${words.join(',')}) set=(${names.join(',')}) peer=${label},` }
}

/**
 * Capabilities that AppArmor or BPF recorded. AppArmor reports a capability only once on each CPU, even for different
 * profiles (audit_caps in security/apparmor/capability.c), so BPF's record is needed, too. sys_admin from BPF is left
 * out: overlayfs checks this capability when a file is created, and BPF attributes the check to the workload.
 */
function capabilitiesOf({ appArmor, bpf }: DynamicResult): string[] {
  const known = (bpf?.capabilities ?? []).filter((name) => is(capabilities, name) && name !== 'sys_admin')
  return [...new Set([...(appArmor?.capabilities ?? []), ...known])].sort()
}

function sectionsOf(result: DynamicResult, facts: AppArmorFacts, name: string): Section[] {
  const own = new Set([name, ...(facts.profiles ?? [])])
  const { executions = [], files = [], ptraces = [], signals = [] } = facts
  return [
    { field: 'executions', title: 'Programs that the workload ran.', lines: executions.map(executionLine) },
    { field: 'files', title: 'Files and their permissions.', lines: fileLines(files, executions) },
    { field: 'capabilities', title: 'Capabilities.', lines: capabilitiesOf(result).map(capabilityLine) },
    { field: 'networks', title: 'Sockets.', lines: (facts.networks?.sockets ?? []).map(socketLine) },
    { field: 'ptraces', title: 'Tracing.', lines: ptraces.map((ptrace) => ptraceLine(ptrace, own)) },
    { field: 'signals', title: 'Signals.', lines: signals.map((signal) => signalLine(signal, own)) },
  ]
}

/** A comment in the profile that names a fact that is left out, and the reason. */
const noteOf = (each: Line): string[] => ('line' in each ? [] : [comment(`left out: ${each.rule}: ${each.reason}`)])

function explained({ pattern, kinds, count, examples }: Explanation): string {
  const names = count === 1 ? '1 name' : `${count} names`
  return comment(`${pattern} is ${kinds.join(', ')}: ${names}, such as ${examples.slice(0, 2).join(' ')}`)
}

function bodyOf(sections: readonly Section[]): string[] {
  const needs = appArmorNeeds.flatMap(({ allows, why }) => [comment(why), ...allows])
  const recorded = sections.flatMap(({ title, lines }) => {
    const written = [...new Set(lines.flatMap((each) => ('line' in each ? [each.line] : [])))]
    const notes = lines.flatMap(noteOf)
    return written.length + notes.length === 0 ? [] : ['', comment(title), ...written, ...notes]
  })
  return [comment('Rules that the runtime needs to start a container.'), ...needs, ...recorded]
}

/**
 * The profile for a DefenseInDepth policy. It allows only operations that AppArmor recorded, capabilities that BPF
 * recorded, and operations that the runtime needs. Names of the model are escaped. Facts that no rule can express are
 * left out and named.
 * @param name name of the profile, from `profileName()`
 * @param patterns explanations of patterns, for comments in the text
 */
export function appArmorProfileOf(
  result: DynamicResult,
  name: string,
  patterns: readonly Explanation[] = [],
): Result<string> {
  const facts = result.appArmor
  if (facts === undefined || Object.keys(facts).length === 0) {
    const problem = 'is empty: record the workload with the enforcer AppArmor'
    return { ok: false, errors: [{ code: 'REQUIRED', path, problem }] }
  }
  const sections = sectionsOf(result, facts, name)
  const head = [
    'abi <abi/3.0>,',
    'include <tunables/global>',
    '',
    `profile ${name} flags=(attach_disconnected,mediate_deleted) {`,
  ]
  const stand =
    patterns.length === 0 ? [] : ['', comment('Names that the patterns stand for.'), ...patterns.map(explained)]
  const lines = [...bodyOf(sections), ...stand].map((line) => (line === '' ? '' : `  ${line}`))
  const text = `${[...head, ...lines, '}'].join('\n')}\n`
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_BYTES) {
    const problem = `makes a profile of ${bytes} bytes, and the limit is ${MAX_BYTES}: replace names that vary by patterns, or record less at once`
    return { ok: false, errors: [{ code: 'TOO_LARGE', path, problem }] }
  }
  const read = readCustomProfile(text, name, path, newestAppArmor)
  return read.ok ? { ok: true, value: text, skipped: sections.flatMap(skippedOf) } : read
}

function skippedOf({ field, lines }: Section): Skipped[] {
  return lines.flatMap((each) => {
    return 'line' in each ? [] : [{ enforcer: 'AppArmor' as const, path: join(path, field), ...each }]
  })
}
