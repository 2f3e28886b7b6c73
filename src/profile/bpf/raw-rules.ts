import { type FieldError, join } from '../../api/field-error.ts'
import * as words from '../../api/schema/bpf-rules.ts'
import type { BpfRawRules, FileRule, MountRule, NetworkSocketRule, PtraceRule } from '../../api/types.ts'
import type { FileAccess, PtraceAccess, SocketDomain, SocketProtocol, SocketType } from '../../rules/meaning.ts'
import { type PathPattern, parsePathPattern } from '../path-pattern.ts'
import type { Skipped } from '../result.ts'
import { whyNeverThere } from '../unreachable-path.ts'
import type { Draft } from './draft.ts'
import { kernelTypeOf, mountCondition } from './mount-flags.ts'
import { addRawEgress } from './raw-egress.ts'
import { readWords, verdictOf, type Words } from './raw-words.ts'

/** Adds the raw rules at `path` to the draft, their errors to `errors`, and rules that never apply to `skipped`. */
export function addRawRules(
  draft: Draft,
  raw: BpfRawRules,
  path: string,
  errors: FieldError[],
  skipped: Skipped[],
): void {
  for (const list of ['files', 'processes'] as const) {
    for (const [i, rule] of (raw[list] ?? []).entries()) {
      addFileRule(draft, rule, join(join(path, list), i), errors)
      const reason = whyNeverThere(rule.pattern)
      if (reason !== undefined)
        skipped.push({ enforcer: 'BPF', path: join(join(path, list), i), rule: rule.pattern, reason, extent: 'all' })
    }
  }
  const network = join(path, 'network')
  for (const [i, rule] of (raw.network?.sockets ?? []).entries()) {
    addSocketRule(draft, rule, join(join(network, 'sockets'), i), errors)
  }
  if (raw.network?.egress !== undefined) addRawEgress(draft, raw.network.egress, join(network, 'egress'), errors)
  if (raw.ptrace !== undefined) addPtraceRule(draft, raw.ptrace, join(path, 'ptrace'), errors)
  for (const [i, rule] of (raw.mounts ?? []).entries()) {
    addMountRule(draft, rule, join(join(path, 'mounts'), i), errors)
  }
}

function readPattern(text: string, path: string, errors: FieldError[]): PathPattern | undefined {
  const parsed = parsePathPattern(text)
  if (parsed.ok) return parsed.pattern
  errors.push({ code: 'BAD_PATTERN', path, given: text, problem: parsed.problem })
  return undefined
}

/** Rules about files and about processes use the same words; `all` includes executing in both. */
function addFileRule(draft: Draft, rule: FileRule, path: string, errors: FieldError[]): void {
  const pattern = readPattern(rule.pattern, join(path, 'pattern'), errors)
  const named = readWords(rule.permissions, words.filePermissions, join(path, 'permissions'), errors)
  const access: FileAccess[] = named.includes('all') ? ['read', 'write', 'exec'] : (named as FileAccess[])
  if (pattern !== undefined)
    draft.files.push({ ...verdictOf(rule.qualifiers, draft.verdict), from: path, pattern, access })
}

/** The names; undefined if they mean everything. */
function namesOrAll<T extends string>(named: readonly string[]): T[] | undefined {
  return named.length === 0 || named.includes('all') ? undefined : (named as T[])
}

function addSocketRule(draft: Draft, rule: NetworkSocketRule, path: string, errors: FieldError[]): void {
  const read = (field: 'domains' | 'types' | 'protocols', vocabulary: Words) =>
    readWords(rule[field] ?? [], vocabulary, join(path, field), errors)
  const domains = namesOrAll<SocketDomain>(read('domains', words.socketDomains))
  const types = namesOrAll<SocketType>(read('types', words.socketTypes))
  const written = read('protocols', words.socketProtocols)
  // `all` means all protocols of IPv4 and IPv6, and does not cover other families.
  const protocols = written.includes('all') ? [...socketProtocols] : namesOrAll<SocketProtocol>(written)
  draft.sockets.push({
    ...verdictOf(rule.qualifiers, draft.verdict),
    from: path,
    ...(domains !== undefined && { domains }),
    ...(types !== undefined && { types }),
    ...(protocols !== undefined && { protocols }),
  })
}

const socketProtocols: SocketProtocol[] = ['icmp', 'tcp', 'udp']

function addPtraceRule(draft: Draft, rule: PtraceRule, path: string, errors: FieldError[]): void {
  const named = readWords(rule.permissions, words.ptracePermissions, join(path, 'permissions'), errors)
  const access: PtraceAccess[] = named.includes('all')
    ? ['read', 'trace', 'readby', 'traceby']
    : (named as PtraceAccess[])
  const scope = rule.strictMode === true ? 'all' : 'outside'
  draft.ptrace.push({ ...verdictOf(rule.qualifiers, draft.verdict), from: path, access, scope })
}

/**
 * Mount rules also apply without `privileged`, unlike upstream's, because the default rules refuse mounting but not
 * unmounting, and may only report. A rule that repeats the default rules changes nothing.
 */
function addMountRule(draft: Draft, rule: MountRule, path: string, errors: FieldError[]): void {
  const source = readPattern(rule.sourcePattern, join(path, 'sourcePattern'), errors)
  const named = readWords(rule.flags, words.mountFlags, join(path, 'flags'), errors)
  if (source === undefined) return
  draft.mounts.push({
    ...verdictOf(rule.qualifiers, draft.verdict),
    from: path,
    ...mountCondition(named),
    // Without a source, the rule also matches a file system whose source the kernel does not know.
    ...(source.text !== '**' && { source }),
    ...(rule.fstype !== '*' && { fstype: kernelTypeOf(rule.fstype) }),
  })
}
