import { basename } from 'node:path'
import { type AuditSourceCode, AuditSourceError } from './audit-source-error.ts'
import type { SourceNotice } from './source.ts'

export const sourceKinds = ['multicast', 'file', 'kmsg'] as const
export type SourceKind = (typeof sourceKinds)[number]

/** The log files that are tried after the multicast, and before /dev/kmsg. */
export const defaultLogPaths = ['/var/log/audit/audit.log', '/var/log/kern.log'] as const

/** The source that flags request. Without a kind, all kinds are candidates. */
export interface SourceRequest {
  kind?: SourceKind
  /** Paths for the kind `file`. */
  paths?: readonly string[]
}

export interface Candidate {
  kind: SourceKind
  /** The source's name: a path, or `multicast`. */
  name: string
  /** Whether to wait for a file that does not exist yet. */
  wait: boolean
}

export interface Refused {
  kind: SourceKind
  name: string
  code: AuditSourceCode
  why: string
  remedy: string
}

/** The reason why a source is in use, for a metric. */
export type ChoiceReason = 'first-choice' | 'fallback' | 'forced'

/** The reason why violations are not reported, and how to change this. */
export interface NoSource {
  why: string
  remedy: string
}

interface Chosen {
  kind: SourceKind
  name: string
  reason: ChoiceReason
  why: string
}

/** The audit source in use, if a source is usable. There is only one source: two sources would write events twice. */
export type Choice<Source> = Tried &
  ({ source: Source; chosen: Chosen; none: undefined } | { source: undefined; chosen: undefined; none: NoSource })

interface Tried {
  /** Sources that were tried without success, in order. */
  refused: Refused[]
  /** Notices to log once. */
  notices: SourceNotice[]
}

/**
 * Parses the two flags that force a source.
 * @param source a kind of source
 * @param auditLogPaths paths separated by `|`; implies the kind `file`
 */
export function parseRequest(
  source: string | undefined,
  auditLogPaths: string | undefined,
): { ok: true; request: SourceRequest } | { ok: false; problems: string[] } {
  const problems: string[] = []
  const kind = sourceKinds.find((known) => known === source)
  if (source !== undefined && kind === undefined)
    problems.push(`unknown audit source "${source}"; known sources: ${sourceKinds.join(', ')}`)
  const paths = auditLogPaths?.split('|').map((path) => path.trim())
  for (const path of paths ?? [])
    if (!path.startsWith('/')) problems.push(`not an absolute path in the audit log paths: "${path}"`)
  if (paths !== undefined && kind !== undefined && kind !== 'file')
    problems.push(`audit log paths do not fit the audit source "${kind}", which does not read files`)
  if (problems.length > 0) return { ok: false, problems }
  if (paths !== undefined) return { ok: true, request: { kind: 'file', paths } }
  return { ok: true, request: kind === undefined ? {} : { kind } }
}

/**
 * The candidates, best first. A forced kind is the only candidate. If forced files do not exist, the agent waits for
 * them.
 */
export function candidates({ kind, paths = defaultLogPaths }: SourceRequest): Candidate[] {
  const files = paths.map((name): Candidate => ({ kind: 'file', name, wait: false }))
  const multicast: Candidate = { kind: 'multicast', name: 'multicast', wait: false }
  const kmsg: Candidate = { kind: 'kmsg', name: '/dev/kmsg', wait: false }
  if (kind === 'multicast') return [multicast]
  if (kind === 'kmsg') return [kmsg]
  if (kind === undefined) return [multicast, ...files, kmsg]
  const [first] = files
  return first === undefined ? [] : [...files, { ...first, wait: true }]
}

/**
 * Takes the first candidate that opens. If the kernel does not create audit records (AUDIT_OFF), further candidates are
 * not tried, because files would not get records either.
 * @param open throws AuditSourceError for an unusable source; any other error is a bug and is rethrown
 */
export async function chooseSource<Source>(
  request: SourceRequest,
  open: (candidate: Candidate) => Promise<Source>,
): Promise<Choice<Source>> {
  const refused: Refused[] = []
  for (const candidate of candidates(request)) {
    try {
      const source = await open(candidate)
      const chosen = describe(request, candidate, refused)
      return { source, none: undefined, chosen, refused, notices: noticesOf(chosen, refused) }
    } catch (error) {
      if (!(error instanceof AuditSourceError)) throw error
      refused.push(refusal(candidate, error))
      if (error.code === 'AUDIT_OFF') break
    }
  }
  const notices = noticesOf(undefined, refused)
  return { source: undefined, none: noSource(refused), chosen: undefined, refused, notices }
}

function refusal({ kind, name }: Candidate, { code, message, remedy, context }: AuditSourceError): Refused {
  const errno = context['errno']
  const why = errno === undefined ? `cannot ${message}` : `cannot ${message} (${errno})`
  return { kind, name, code, why, remedy }
}

function describe(request: SourceRequest, { kind, name, wait }: Candidate, refused: readonly Refused[]): Chosen {
  if (request.kind !== undefined) {
    const why = wait ? 'set by a flag; the file does not exist yet, waiting for it' : 'forced by a flag'
    return { kind, name, reason: 'forced', why }
  }
  if (refused.length === 0) return { kind, name, reason: 'first-choice', why: 'the first choice' }
  const why = `the first usable source; unusable: ${refused.map((other) => `${other.name}, ${other.why}`).join('; ')}`
  return { kind, name, reason: 'fallback', why }
}

function noticesOf(chosen: Chosen | undefined, refused: readonly Refused[]): SourceNotice[] {
  const notices: SourceNotice[] = refused.map(({ name, code, why, remedy }) => ({
    // A missing file is not a problem if another source works. Any other failure of a better source is a problem.
    level: code === 'MISSING' && chosen !== undefined ? 'info' : 'warn',
    code: 'audit-source-refused',
    message: `audit source not used: ${why}`,
    remedy,
    context: { source: name, reason: code },
  }))
  if (chosen === undefined) {
    const { why: message, remedy } = noSource(refused)
    return [...notices, { level: 'warn', code: 'audit-source-none', message, remedy, context: {} }]
  }
  const { name: source, reason, why } = chosen
  const context = { source, reason }
  notices.push({ level: 'info', code: 'audit-source', message: `audit source in use: ${why}`, context })
  return isLimitedByPrintk(chosen) ? [...notices, { ...printkLimit, context }] : notices
}

const stillEnforced = 'AppArmor and Seccomp still enforce, but their violations are not reported'

function noSource(refused: readonly Refused[]): NoSource {
  const off = refused.find(({ code }) => code === 'AUDIT_OFF')
  if (off !== undefined)
    return { why: `the kernel does not write audit records (${off.why}): ${stillEnforced}`, remedy: off.remedy }
  const why = `no usable audit source (${refused.map((one) => `${one.name}: ${one.why}`).join('; ')}): ${stillEnforced}`
  return { why, remedy: [...new Set(refused.map(({ remedy }) => remedy))].join('; or ') }
}

const printkLimit = {
  level: 'warn',
  code: 'printk-limit',
  message: 'this audit source loses most events: they pass through printk, which permits about 10 events in 5 seconds',
  remedy:
    'let the agent listen to the multicast (capability AUDIT_READ, hostNetwork: true, the native addon built), ' +
    'or run auditd; if neither is possible, set sysctl kernel.printk_ratelimit=0 to lose fewer events',
} as const

/**
 * Names of files that syslog daemons write from the kernel's log. auditd's file is not in this list, because auditd
 * receives records directly.
 */
const kernelLogs = /^(kern|kernel|syslog|messages|dmesg|debug)\b/

export function isLimitedByPrintk({ kind, name }: { kind: SourceKind; name: string }): boolean {
  return kind === 'kmsg' || (kind === 'file' && kernelLogs.test(basename(name)))
}
