import type { FieldError } from '../../api/field-error.ts'
import type { FileAccess } from '../../rules/meaning.ts'
import { rootIsOnTheWay } from '../ancestor-paths.ts'
import { type PathPattern, parsePathPattern } from '../path-pattern.ts'
import { compileAutomaton } from './automaton.ts'
import { AUDIT_SHIFT, type Automaton, CARRY, type FileRule, type FileRules, fileFlags } from './bpf-profile.ts'
import type { Draft, Drafted, DraftFile } from './draft.ts'
import { KnownAutomata } from './known-automata.ts'
import { bitMarks } from './marks.ts'
import type { TriePattern } from './pattern-trie.ts'
import type { Table } from './table.ts'
import { tooLargeErrors } from './too-large.ts'

const accesses = ['read', 'write', 'append', 'exec'] as const satisfies readonly FileAccess[]
const WAY_DENY = fileFlags.way
const WAY_AUDIT = fileFlags.way << AUDIT_SHIFT

/**
 * In the automaton, a rule with exceptions has two marks: the path matches the rule, and the path matches an exception.
 */
const FIRST_SPARED_MARK = 16
const MAX_SPARED_RULES = 7

/** The rule for one pattern: the union of all drafted rules about it. */
interface Merged {
  pattern: PathPattern
  except: readonly PathPattern[]
  denied: Set<FileAccess>
  audited: Set<FileAccess>
  from: string
}

function merge(files: readonly Drafted<DraftFile>[]): Merged[] {
  const merged = new Map<string, Merged>()
  for (const { pattern, except = [], access, deny, audit, from } of files) {
    const key = [pattern, ...except].map(({ text }) => text).join('\0')
    const rule = merged.get(key) ?? { pattern, except, denied: new Set(), audited: new Set(), from }
    merged.set(key, rule)
    for (const one of access) {
      if (deny) rule.denied.add(one)
      if (audit) rule.audited.add(one)
    }
  }
  const used = [...merged].filter(([, { denied, audited }]) => denied.size + audited.size > 0)
  return used.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule)
}

function flagsOf(access: ReadonlySet<FileAccess>): number {
  let flags = 0
  for (const one of access) flags |= fileFlags[one]
  if (access.has('write')) flags |= fileFlags.append
  return flags === 0 ? 0 : flags | CARRY
}

export function accessFlags({
  deny,
  audit,
}: {
  deny: ReadonlySet<FileAccess>
  audit: ReadonlySet<FileAccess>
}): number {
  return flagsOf(deny) | (flagsOf(audit) << AUDIT_SHIFT)
}

const acceptOf = ({ denied, audited }: Merged): number => accessFlags({ deny: denied, audit: audited })
const wayOf = ({ denied, audited }: Merged): number =>
  (denied.size > 0 ? WAY_DENY : 0) | (audited.size > 0 ? WAY_AUDIT : 0)

const ROOT = '/'

function patternOf(text: string): PathPattern {
  const parsed = parsePathPattern(text)
  if (!parsed.ok) throw new Error(parsed.problem)
  return parsed.pattern
}

/** The patterns of the automaton, and the field that each pattern comes from. */
function patternsOf(rules: readonly Merged[], protectWays: boolean): { patterns: TriePattern[]; from: string[] } {
  const patterns: TriePattern[] = []
  const from: string[] = []
  const add = (pattern: PathPattern, accept: number, way: number, origin: string) => {
    patterns.push({ pattern, accept, way })
    from.push(origin)
  }
  let mark = FIRST_SPARED_MARK
  for (const rule of rules) {
    const way = protectWays ? wayOf(rule) : 0
    if (rule.except.length === 0) add(rule.pattern, acceptOf(rule), way, rule.from)
    else {
      add(rule.pattern, 1 << mark, way, rule.from)
      for (const spared of rule.except) add(spared, 2 << mark, 0, rule.from)
      mark += 2
    }
    // After a bind of `/` to another place, a process reaches all files by other names.
    if (way !== 0 && rootIsOnTheWay(rule.pattern)) add(patternOf(ROOT), way, 0, rule.from)
  }
  return { patterns, from }
}

/** Replaces the two marks of a rule with exceptions by its flags, unless the path matches an exception. */
function resolver(rules: readonly Merged[]): (marks: number) => number {
  const sparing = rules.filter(({ except }) => except.length > 0)
  if (sparing.length > MAX_SPARED_RULES) throw new Error(`more than ${MAX_SPARED_RULES} rules with exceptions`)
  const flags = sparing.map(acceptOf)
  return (marks) => {
    let resolved = marks & ((1 << FIRST_SPARED_MARK) - 1)
    for (const [i, own] of flags.entries()) if (((marks >> (FIRST_SPARED_MARK + 2 * i)) & 3) === 1) resolved |= own
    return resolved
  }
}

export function automatonOf({ states, classes, start, cellCount, bytes }: Table): Automaton {
  return { states, classes, bytes: bytes.length, start, cells: cellCount, table: Buffer.from(bytes).toString('base64') }
}

function sorted(access: ReadonlySet<FileAccess>): FileAccess[] {
  return accesses.filter((one) => access.has(one) && !(one === 'append' && access.has('write')))
}

function describe(rule: Merged, protectWays: boolean): FileRule {
  return {
    pattern: rule.pattern.text,
    deny: sorted(rule.denied),
    audit: sorted(rule.audited),
    way: protectWays,
    ...(rule.except.length > 0 && { except: rule.except.map(({ text }) => text) }),
  }
}

const known = new KnownAutomata()

/** The key has everything that the automaton depends on. */
function keyOf(patterns: readonly TriePattern[], rules: readonly Merged[]): string {
  const spared = rules.filter(({ except }) => except.length > 0).map(acceptOf)
  return JSON.stringify([patterns.map(({ pattern, accept, way }) => [pattern.text, accept, way]), spared])
}

/** Merges the rules about files and makes their automaton. Adds TOO_LARGE errors at the most costly rules. */
export function fileRules(draft: Draft, errors: FieldError[]): FileRules {
  const merged = merge(draft.files)
  const { patterns, from } = patternsOf(merged, draft.protectWays)
  const described: FileRules = { rules: merged.map((rule) => describe(rule, draft.protectWays)), any: 0 }
  for (const rule of merged) described.any |= acceptOf(rule) | (draft.protectWays ? wayOf(rule) : 0)
  if (patterns.length === 0) return described
  const key = keyOf(patterns, merged)
  const before = known.get(key)
  if (before !== undefined) return { ...described, automaton: before }
  const compiled = compileAutomaton(patterns, bitMarks, resolver(merged))
  if (compiled.ok) {
    described.automaton = automatonOf(compiled.table)
    known.add(key, described.automaton)
  } else
    errors.push(
      ...tooLargeErrors(
        compiled,
        patterns.map(({ pattern }, i) => ({ from: from[i]!, given: pattern.text })),
      ),
    )
  return described
}
