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

/** The text is part of an object, and the API server's storage takes 1.5 MiB of one. */
const MAX_BYTES = 900_000

type AppArmorFacts = NonNullable<DynamicResult['appArmor']>

/** Lines of one kind, and the field that they are made of. */
interface Section {
  field: keyof AppArmorFacts
  title: string
  lines: Line[]
}

const is = (list: readonly string[], word: string | undefined): boolean => word !== undefined && list.includes(word)

function executionLine(file: string): Line {
  return isPath(file) && !file.endsWith('/')
    ? { line: `${quoted(literal(file))} rmix,` }
    : { rule: file, reason: 'is no path of a program' }
}

function capabilityLine(name: string): Line {
  return is(capabilities, name) ? { line: `capability ${name},` } : { rule: name, reason: 'is no capability' }
}

type Socket = NonNullable<NonNullable<AppArmorFacts['networks']>['sockets']>[number]

function socketLine({ domain = '', type = '' }: Socket): Line {
  const family = domain.toLowerCase().replace(/^af_/, '')
  const kind = type.toLowerCase().replace(/^sock_/, '')
  if (!is(socketDomains, family))
    return { rule: `${domain} ${type}`, reason: 'is no socket family that AppArmor knows' }
  return { line: is(socketTypes, kind) && kind !== 'dccp' ? `network ${family} ${kind},` : `network ${family},` }
}

/**
 * Profiles within ours that complain mode makes for programs without a rule are ours in a profile that has the rule.
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
    return { rule: `ptrace ${peer}`, reason: 'has no peer or no permission that AppArmor knows' }
  return { line: `ptrace (${words.join(',')}) peer=${label},` }
}

function signalLine({ peer, permissions, signals }: Signal, own: ReadonlySet<string>): Line {
  const label = peerOf(peer, own)
  const words = permissions.filter((word) => word === 'send' || word === 'receive').sort()
  const names = signals.filter((name) => /^(?:[a-z]+[12]?|rtmin\+\d{1,2})$/.test(name)).sort()
  if (label === undefined || words.length === 0 || names.length === 0) {
    return { rule: `signal ${peer}`, reason: 'has no peer, no permission or no signal that AppArmor knows' }
  }
  return { line: `signal (${words.join(',')}) set=(${names.join(',')}) peer=${label},` }
}

/**
 * Also those that BPF has seen. AppArmor reports a capability once on a processor, for any profile, and then stays
 * silent about the next requests (security/apparmor/capability.c, audit_caps), so its own records lack some. But an
 * overlay asks for sys_admin with its own credentials when a file is made, which BPF takes
 * for the workload's question, and AppArmor does not.
 */
function capabilitiesOf({ appArmor, bpf }: DynamicResult): string[] {
  const known = (bpf?.capabilities ?? []).filter((name) => is(capabilities, name) && name !== 'sys_admin')
  return [...new Set([...(appArmor?.capabilities ?? []), ...known])].sort()
}

function sectionsOf(result: DynamicResult, facts: AppArmorFacts, name: string): Section[] {
  const own = new Set([name, ...(facts.profiles ?? [])])
  const { executions = [], files = [], ptraces = [], signals = [] } = facts
  return [
    { field: 'executions', title: 'Programs that were run.', lines: executions.map(executionLine) },
    { field: 'files', title: 'Files, and what was done with them.', lines: fileLines(files, executions) },
    { field: 'capabilities', title: 'Capabilities.', lines: capabilitiesOf(result).map(capabilityLine) },
    { field: 'networks', title: 'Sockets.', lines: (facts.networks?.sockets ?? []).map(socketLine) },
    { field: 'ptraces', title: 'Tracing.', lines: ptraces.map((ptrace) => ptraceLine(ptrace, own)) },
    { field: 'signals', title: 'Signals.', lines: signals.map((signal) => signalLine(signal, own)) },
  ]
}

/** What was left out, and why. */
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
  return [comment('What the runtime needs to start a container.'), ...needs, ...recorded]
}

/**
 * The profile, as a DefenseInDepth policy takes it, that allows what AppArmor recorded, the capabilities that BPF did,
 * and what the runtime needs, and nothing else. No name of the model can leave its place. What no rule can be made of
 * is left out and named.
 * @param name of the profile, from `profileName()`
 * @param patterns which names patterns stand for, as far as that is known: said in the text
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
  const stand = patterns.length === 0 ? [] : ['', comment('What the patterns stand for.'), ...patterns.map(explained)]
  const lines = [...bodyOf(sections), ...stand].map((line) => (line === '' ? '' : `  ${line}`))
  const text = `${[...head, ...lines, '}'].join('\n')}\n`
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_BYTES) {
    const problem = `makes a profile of ${bytes} bytes, and ${MAX_BYTES} are taken: put patterns in place of names that vary, or record less at once`
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
