import type { LinuxSyscall } from '../../api/types.ts'
import { both, type Comparison, isWide, negate, writeComparison } from './comparison.ts'
import type { Action } from './vocabulary.ts'

/** One system call, and the action if every comparison holds. An argument has at most one comparison. */
export interface SyscallRule {
  name: string
  action: Action
  /** Absent: EPERM. */
  errno?: number
  when: readonly Comparison[]
}

/** A text for the effect of a rule. Rules with equal texts have the same effect, so their overlap does not matter. */
export function outcome({ action, errno = 1 }: Pick<SyscallRule, 'action' | 'errno'>): string {
  if (action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE') return `${action} ${errno}`
  return action === 'SCMP_ACT_KILL' ? 'SCMP_ACT_KILL_THREAD' : action
}

/** The comparisons as text, sorted by argument: equal texts mean equal conditions. */
function condition(rule: SyscallRule): string {
  const written = rule.when.map((comparison) => JSON.stringify(writeComparison(comparison)))
  return written.sort().join()
}

/** Adds `comparison` to the comparisons of a rule; `never` and undefined have the meaning of `both`. */
function narrow(when: readonly Comparison[], comparison: Comparison): Comparison[] | 'never' | undefined {
  const same = when.findIndex(({ index }) => index === comparison.index)
  const old = when[same]
  if (old === undefined) return [...when, comparison]
  const joined = both(old, comparison)
  return typeof joined === 'object' ? when.with(same, joined) : joined
}

/** Maximum parts of one rule: enough for one rule with a 64-bit mask, outside of another such rule. */
const MAX_PARTS = 256

/**
 * The rest of `rule` outside of `cover`, as a list of rules; undefined if seccomp cannot express the rest. Without
 * this, libseccomp would silently prefer the rule that has no arguments (db.c, `db_rule_add`).
 */
export function outside(rule: SyscallRule, cover: SyscallRule): SyscallRule[] | undefined {
  // On 32-bit ABIs, libseccomp cuts numbers to 32 bits. If separate rules then overlap, it refuses the whole profile
  // (EEXIST).
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

/** Whether a call may meet both rules. Also true if this is not known. */
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
 * Whether libseccomp builds a correct filter from these rules for one call. Before 2.6.1, the filter may allow a call
 * that a rule refuses (GHSA-4q85-33p6-j5g6). Three forms were correct in a simulation of 2.5.4 with random rules: one
 * rule; rules that compare only for equality, with or without masks; rules with one comparison of 32 bits each.
 */
export function isBuiltRight(rules: readonly SyscallRule[]): boolean {
  return isRight(formsOf(rules))
}

/** The facts that `isBuiltRight` needs, so that a set does not visit all its rules for each new rule. */
interface Forms {
  /** Number of rules with comparisons, and of all their comparisons. */
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

/** The result of adding a rule to a set. */
export type Added =
  | 'added'
  /** Earlier rules with another outcome cover the whole rule. */
  | 'covered'
  /** Seccomp cannot express the part of the rule that earlier rules leave. */
  | 'inexpressible'
  /** libseccomp would build a wrong filter from the rule and earlier rules. */
  | 'misbuilt'
  /** The rules overlap in too many ways to compare them. */
  | 'too-costly'

/**
 * Maximum parts of rules that a set compares in all. Each earlier rule with a mask can split a rule into 64 parts:
 * without this bound, forty rules for sixteen calls take half a minute.
 */
const MAX_STEPS = 200_000

/** Maximum number of parts into which `cover` splits a rule. */
function cost({ when }: SyscallRule): number {
  return when.reduce((sum, comparison) => sum + (comparison.kind === 'masked' ? 64 : 2), 1)
}

/** Facts about the rules for one call, so that adding a rule need not visit all of them. */
interface Named {
  rules: SyscallRule[]
  forms: Forms
  /** The outcomes of rules without conditions. */
  whole: Set<string>
}

/** A set of rules that gives each call at most one outcome. An earlier rule has priority. */
export class RuleSet {
  readonly #byName = new Map<string, Named>()
  readonly #seen = new Set<string>()
  readonly #rules: SyscallRule[] = []
  #steps = 0

  /** The parts of `rule` that earlier rules with another outcome do not cover. */
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

  /** Adds the rest of `rule`; after an error the set is unchanged. */
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

/** The rules as entries of a profile. Neighbours that differ only in the name share an entry. */
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
