import { nearestName } from '../../api/field-error.ts'
import type { AppArmorFeatures } from '../context.ts'
import { whyNeverThere } from '../unreachable-path.ts'
import { fileRule, linkRule, type Transitions } from './file-grammar.ts'
import { capabilityRule, dbusRule, networkRule, ptraceRule, rlimitRule, signalRule, unixRule } from './ipc-grammar.ts'
import { mountRule, pivotRootRule, remountRule, umountRule } from './mount-grammar.ts'
import { newerRule, newerRules } from './newer-grammar.ts'
import { Statement } from './statement.ts'
import type { Token } from './tokens.ts'
import { valueText } from './value.ts'

/** One rule, printed again: `text` has no comma at its end and is one line. */
export interface ParsedRule {
  text: string
  line: number
  denies: boolean
  /** Set for a file rule that says how a program is executed. */
  executes?: { path: string; transition: string }
  /**
   * Set for a rule that denies a use of files: the glob without its quotes, and whether the kernel reports refusals.
   */
  forbids?: { glob: string; reported: boolean }
  /** Why it is left out: a parser of these features cannot take it, or it forbids what is never there. */
  needs?: string
  /** It is of a kind that the ABI 3.0 does not know, under which the parser passes over it in silence. */
  isNewer?: boolean
}

interface Qualifiers {
  audit: boolean
  deny: boolean
  owner: string
  priority?: string
}

const words = ['audit', 'deny', 'allow', 'owner', 'user', 'other'] as const

function qualifiersOf(statement: Statement): Qualifiers {
  const found: Qualifiers = { audit: false, deny: false, owner: '' }
  for (;;) {
    const { next, following } = statement
    if (next?.kind === 'word' && next.text === 'priority' && following?.kind === '=')
      found.priority = priority(statement)
    else if (next?.kind !== 'word' || !(words as readonly string[]).includes(next.text)) return found
    else {
      const word = statement.take().text
      if (word === 'audit') found.audit = true
      else if (word === 'deny') found.deny = true
      else if (word !== 'allow') found.owner = word === 'other' ? 'other' : 'owner'
    }
  }
}

function priority(statement: Statement): string {
  statement.take()
  statement.take()
  const value = statement.take()
  if (!/^-?\d{1,4}$/.test(value.text) || Math.abs(Number(value.text)) > 1000)
    statement.fail('a priority must be from -1000 to 1000')
  return value.text
}

/** What no rule may begin with, and why not: each of these would reach beyond the place where the text stands. */
export const refused: ReadonlyMap<string, string> = new Map(
  Object.entries({
    include: 'raw rules cannot include files: write the rules themselves',
    profile: 'raw rules cannot open a profile; use `targets` for rules about one program',
    hat: 'raw rules cannot open a hat',
    if: 'conditions are not supported: write the rules without conditions',
    else: 'conditions are not supported: write the rules without conditions',
    alias: 'raw rules cannot change paths for other rules',
    rewrite: 'raw rules cannot change paths for other rules',
    abi: 'the ABI belongs to the whole profile; the agent chooses it for the node',
    flags: 'flags belong to the whole profile: see auditViolations and allowViolations',
  }),
)

const kinds: ReadonlyMap<string, (statement: Statement) => string> = new Map(
  Object.entries({
    capability: capabilityRule,
    network: networkRule,
    mount: mountRule,
    remount: remountRule,
    umount: umountRule,
    unmount: umountRule,
    pivot_root: pivotRootRule,
    ptrace: ptraceRule,
    signal: signalRule,
    dbus: dbusRule,
    unix: unixRule,
  }),
)

const beginnings = [...words, ...kinds.keys(), ...newerRules, 'file', 'link', 'set']

type Body = Omit<ParsedRule, 'line' | 'text' | 'denies'> & { text: string; isFile?: boolean }

function fileBody(statement: Statement, { deny, audit }: Qualifiers, transitions: Transitions): Body {
  const { text, path, transition, concernsUse } = fileRule(statement, deny, transitions)
  const executes = transition !== '' && { executes: { path, transition } }
  const forbids = deny && concernsUse && { forbids: { glob: path.slice(1, -1), reported: audit } }
  return { text, isFile: true, ...executes, ...forbids }
}

/** `file,` alone is all access to all files, and so can't be a deny rule: the parser would want `x` there, not `ix`. */
function fileKeyword(statement: Statement, qualifiers: Qualifiers, transitions: Transitions): Body {
  if (statement.next !== undefined) return fileBody(statement, qualifiers, transitions)
  return qualifiers.deny ? { text: '"/{,**}" rwlkmx', isFile: true } : { text: 'file', isFile: true }
}

function body(
  statement: Statement,
  qualifiers: Qualifiers,
  features: AppArmorFeatures,
  transitions: Transitions,
): Body {
  const { next, following } = statement
  if (next?.kind === 'word' && /^[\^$]/.test(next.text)) statement.fail('hats and variables are not supported here')
  if (next?.kind === 'word' && /^@\{?\w+\}?$/.test(next.text) && following?.kind === '=')
    statement.fail('variables cannot be set here')
  if (next?.kind !== 'word' || /^[/@]/.test(next.text)) return fileBody(statement, qualifiers, transitions)
  const keyword = next.text
  if (keyword === 'set') return { text: rlimitRule(taken(statement)) }
  if (keyword === 'file') return fileKeyword(taken(statement), qualifiers, transitions)
  if (keyword === 'link') return { text: linkRule(taken(statement)), isFile: true }
  if (keyword === 'change_profile') return { text: changeProfile(taken(statement), qualifiers.deny, transitions) }
  if (newerRules.has(keyword)) return newerRule(taken(statement), keyword, features)
  const kind = kinds.get(keyword)
  if (kind !== undefined) return { text: kind(taken(statement)) }
  const refusal = refused.get(keyword)
  if (refusal !== undefined) statement.fail(refusal)
  if (/^[A-Za-z]+$/.test(keyword) && following !== undefined && /^[/@]/.test(following.text)) {
    return fileBody(statement, qualifiers, transitions)
  }
  const nearest = nearestName(keyword, beginnings)
  return statement.fail(
    `a rule cannot begin with ${JSON.stringify(keyword)}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
  )
}

function taken(statement: Statement): Statement {
  statement.take()
  return statement
}

/** Forbidding a change of profile is always possible, allowing it only within the profile and its children. */
function changeProfile(statement: Statement, deny: boolean, { isOwnLabel }: Transitions): string {
  const target = statement.takes('->') ? statement.take() : undefined
  if (!deny && (target === undefined || isOwnLabel?.(target.text) !== true)) {
    statement.fail('change_profile would let a process leave this profile; it may name only children of this profile')
  }
  return target === undefined ? 'change_profile' : `change_profile -> ${valueText(target)}`
}

/**
 * Parses the tokens of one rule. Everything that is written is made from what was understood, so no text of the user
 * reaches the profile as it is.
 * @throws {BadText}
 */
export function parseRule(tokens: readonly Token[], features: AppArmorFeatures, transitions: Transitions): ParsedRule {
  const statement = new Statement(tokens)
  const qualifiers = qualifiersOf(statement)
  const { text, isFile = false, ...rest } = body(statement, qualifiers, features, transitions)
  statement.end()
  if (qualifiers.owner !== '' && !isFile) statement.fail(`"${qualifiers.owner}" is supported only in rules about files`)
  if (qualifiers.priority !== undefined && /^(?:network|all|set|change_profile)\b/.test(text))
    statement.fail('this rule cannot have a priority')
  if (text.startsWith('set ') && (qualifiers.audit || qualifiers.deny))
    statement.fail('a limit cannot have a qualifier')
  const needs =
    rest.needs ??
    (qualifiers.priority === undefined || atLeast(features, 4, 1) ? undefined : 'a priority needs AppArmor 4.1') ??
    (qualifiers.deny ? forbidsNothing(text) : undefined)
  const rule = { text: written(qualifiers, text), line: statement.line, denies: qualifiers.deny }
  return { ...rest, ...rule, ...(needs !== undefined && { needs }) }
}

/** Why a rule that denies would say nothing. One that allows what is never there gives nothing away. */
function forbidsNothing(text: string): string | undefined {
  const paths = [...text.matchAll(/"([/@][^"]*)"/g)].map(([, path]) => whyNeverThere(path!))
  return paths.find((why) => why !== undefined)
}

function written({ priority, audit, deny, owner }: Qualifiers, text: string): string {
  const prefix = [priority === undefined ? '' : `priority=${priority}`, audit ? 'audit' : '', deny ? 'deny' : '', owner]
  return [...prefix.filter((word) => word !== ''), text].join(' ')
}

/**
 * A line of `ParsedRule.text`, where a refusal in silence is now one that is reported. Other lines stay as they are.
 */
export function audited(line: string): string {
  return line.replace(/^((?:priority=-?\d+ )?)deny /, '$1audit deny ')
}

export function atLeast(
  { parser: [major, minor] }: AppArmorFeatures,
  wantedMajor: number,
  wantedMinor: number,
): boolean {
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}
