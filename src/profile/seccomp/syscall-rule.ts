import type { LinuxSyscall } from '../../api/types.ts'
import { both, type Comparison, isWide, negate, writeComparison } from './comparison.ts'
import type { Action } from './vocabulary.ts'

/** One system call and what becomes of it when every comparison holds. No argument is compared twice. */
export interface SyscallRule {
  name: string
  action: Action
  /** Absent: EPERM. */
  errno?: number
  when: readonly Comparison[]
}

/** What a rule does, so that two rules can be distinguished. */
export function outcome({ action, errno = 1 }: Pick<SyscallRule, 'action' | 'errno'>): string {
  if (action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE') return `${action} ${errno}`
  return action === 'SCMP_ACT_KILL' ? 'SCMP_ACT_KILL_THREAD' : action
}

/** The comparisons in the order of their arguments, as text: equal for equal conditions. */
function condition(rule: SyscallRule): string {
  const written = rule.when.map((comparison) => JSON.stringify(writeComparison(comparison)))
  return written.sort().join()
}

/** Adds `comparison` to those of a rule; `never` and undefined as in `both`. */
function narrow(when: readonly Comparison[], comparison: Comparison): Comparison[] | 'never' | undefined {
  const same = when.findIndex(({ index }) => index === comparison.index)
  const old = when[same]
  if (old === undefined) return [...when, comparison]
  const joined = both(old, comparison)
  return typeof joined === 'object' ? when.with(same, joined) : joined
}

/** More parts than this and a rule is refused: 64 bits of one mask, by one more rule with a mask. */
const MAX_PARTS = 256

/**
 * What remains of `rule` outside of `cover`, as rules that together apply exactly there. Undefined when the words of
 * seccomp cannot say it. libseccomp does not do this for us: of two rules for one call it silently lets the one
 * without arguments win, whatever was meant (db.c, `db_rule_add`).
 */
export function outside(rule: SyscallRule, cover: SyscallRule): SyscallRule[] | undefined {
  // Cut to 32 bits, rules that were apart can meet, and libseccomp then refuses the whole profile (EEXIST).
  if (cover.when.length > 0 && [...rule.when, ...cover.when].some(isWide)) return undefined
  if (!overlap(rule, cover)) return [rule]
  const parts: SyscallRule[] = []
  for (const negated of cover.when.flatMap(negate)) {
    const when = narrow(rule.when, negated)
    if (when === undefined) return undefined
    if (when !== 'never') parts.push({ ...rule, when })
  }
  return parts
}

/** Whether some call meets both rules. Says yes when it cannot tell. */
function overlap(rule: SyscallRule, cover: SyscallRule): boolean {
  let when: readonly Comparison[] = rule.when
  for (const comparison of cover.when) {
    const narrowed = narrow(when, comparison)
    if (narrowed === 'never') return false
    if (narrowed !== undefined) when = narrowed
  }
  return true
}

/**
 * Whether libseccomp makes of these rules for one call the filter that they say. Before 2.6.1 it does not always: of
 * rules that compare several arguments, by order or difference, it builds filters that let through what they refuse and
 * refuse what they let through (GHSA-4q85-33p6-j5g6), and from some two it never comes back. Found right in a
 * simulation of what 2.5.4 builds, with thousands of random rules of each kind: one rule of any form; rules that
 * compare for equality only, also under masks; rules that compare one argument each, with 32 bits.
 */
export function isBuiltRight(rules: readonly SyscallRule[]): boolean {
  return isRight(formsOf(rules))
}

/** What `isBuiltRight` looks at, so that a set need not look at all of its rules for each that comes. */
interface Forms {
  /** Rules with comparisons, and all of their comparisons. */
  conditional: number
  comparisons: number
  onlyEquality: boolean
  hasWide: boolean
}

const noForms: Forms = { conditional: 0, comparisons: 0, onlyEquality: true, hasWide: false }

function formsOf(rules: readonly SyscallRule[], before: Forms = noForms): Forms {
  const forms = { ...before }
  for (const { when } of rules) {
    if (when.length > 0) forms.conditional++
    forms.comparisons += when.length
    forms.onlyEquality &&= when.every(({ kind }) => kind === 'masked')
    forms.hasWide ||= when.some(isWide)
  }
  return forms
}

function isRight({ conditional, comparisons, onlyEquality, hasWide }: Forms): boolean {
  return conditional <= 1 || onlyEquality || (comparisons === conditional && !hasWide)
}

/** What became of a rule that was to be added to a set. */
export type Added =
  | 'added'
  /** Earlier rules with another outcome leave nothing of it. */
  | 'covered'
  /** What they leave of it has no words in seccomp. */
  | 'inexpressible'
  /** With the others it would not be built right. */
  | 'misbuilt'
  /** The rules overlap in too many ways to be compared. */
  | 'too-costly'

/**
 * Parts of rules that a set looks at, for all of its rules together. At each earlier rule with a mask a rule may fall
 * into 64 parts: without a bound forty rules for sixteen calls take half a minute.
 */
const MAX_STEPS = 200_000

/** Into how many parts a rule falls at most outside of `cover`. */
function cost({ when }: SyscallRule): number {
  return when.reduce((sum, comparison) => sum + (comparison.kind === 'masked' ? 64 : 2), 1)
}

/** What is known of the rules for one call, so that one more need not look at all of them. */
interface Named {
  rules: SyscallRule[]
  forms: Forms
  /** Outcomes of rules without conditions. */
  whole: Set<string>
}

/** Rules in which, for every call, at most one outcome applies; the earlier rule goes first. */
export class RuleSet {
  readonly #byName = new Map<string, Named>()
  readonly #seen = new Set<string>()
  readonly #rules: SyscallRule[] = []
  #steps = 0

  /** What the rules in the set that have another outcome leave of `rule`. */
  rest(rule: SyscallRule): SyscallRule[] | 'inexpressible' | 'too-costly' {
    let parts: SyscallRule[] = [rule]
    for (const earlier of this.named(rule.name)) {
      if (outcome(earlier) === outcome(rule)) continue
      const left: SyscallRule[] = []
      for (const part of parts) {
        this.#steps += cost(earlier)
        if (this.#steps > MAX_STEPS) return 'too-costly'
        const rest = outside(part, earlier)
        if (rest === undefined || left.length + rest.length > MAX_PARTS) return 'inexpressible'
        left.push(...rest)
      }
      parts = left
    }
    return parts
  }

  /** Adds the rest of `rule`, or leaves the set as it is. */
  add(rule: SyscallRule): Added {
    const parts = this.rest(rule)
    if (typeof parts === 'string') return parts
    if (parts.length === 0) return 'covered'
    const fresh = parts.filter((part) => !this.#says(part))
    const named = this.#byName.get(rule.name) ?? { rules: [], forms: noForms, whole: new Set() }
    const forms = formsOf(fresh, named.forms)
    if (fresh.length > 0 && !isRight(forms)) return 'misbuilt'
    this.#byName.set(rule.name, named)
    named.forms = forms
    for (const part of fresh) this.#insert(part, named)
    return 'added'
  }

  named(name: string): readonly SyscallRule[] {
    return this.#byName.get(name)?.rules ?? []
  }

  #says(rule: SyscallRule): boolean {
    return this.#byName.get(rule.name)?.whole.has(outcome(rule)) === true || this.#seen.has(keyOf(rule))
  }

  #insert(rule: SyscallRule, named: Named): void {
    this.#seen.add(keyOf(rule))
    this.#rules.push(rule)
    named.rules.push(rule)
    if (rule.when.length === 0) named.whole.add(outcome(rule))
  }

  get rules(): readonly SyscallRule[] {
    return this.#rules
  }
}

function keyOf(rule: SyscallRule): string {
  return `${rule.name} ${outcome(rule)} ${condition(rule)}`
}

/** Rules as entries of a profile: neighbours that differ in the name only become one entry. */
export function entriesOf(rules: readonly SyscallRule[]): LinuxSyscall[] {
  const entries: LinuxSyscall[] = []
  let last = ''
  for (const rule of rules) {
    const key = `${outcome(rule)} ${condition(rule)}`
    const open = entries.at(-1)
    if (open !== undefined && key === last) open.names.push(rule.name)
    else entries.push(entryOf(rule))
    last = key
  }
  return entries
}

function entryOf({ name, action, errno, when }: SyscallRule): LinuxSyscall {
  return {
    names: [name],
    action,
    ...(errno !== undefined && { errnoRet: errno }),
    ...(when.length > 0 && { args: when.map(writeComparison) }),
  }
}
