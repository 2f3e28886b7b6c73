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

/** One rule, printed again in one line. `text` has no comma at its end. */
export interface ParsedRule {
  text: string
  line: number
  denies: boolean
  /** Set if the rule says how a program is executed. */
  executes?: { path: string; transition: string }
  /** Set if the rule denies a use of files: the unquoted glob, and whether the kernel reports refusals. */
  forbids?: { glob: string; reported: boolean }
  /** Why the rule is left out: the node's parser does not support it, or it denies a path that no file has. */
  needs?: string
  /** The rule has no effect under the ABI 3.0: the parser silently skips it. */
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

/**
 * Words with which no rule may begin, and the reasons: each would reach beyond the place of the text in the profile.
 */
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

/**
 * `file,` alone means all access to all files. It cannot be a deny rule, because the parser would require `x` instead
 * of `ix`.
 */
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

/** A rule may always deny a change of profile, and may allow a change only to the profile and its children. */
function changeProfile(statement: Statement, deny: boolean, { isOwnLabel }: Transitions): string {
  const target = statement.takes('->') ? statement.take() : undefined
  if (!deny && (target === undefined || isOwnLabel?.(target.text) !== true)) {
    statement.fail('change_profile would let a process leave this profile; it may name only children of this profile')
  }
  return target === undefined ? 'change_profile' : `change_profile -> ${valueText(target)}`
}

/**
 * Parses the tokens of one rule. The output is built only from the parsed parts, so no text of the user reaches the
 * profile unchanged.
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

/** Why a deny rule would have no effect. An allow rule for a path that no file has does no harm. */
function forbidsNothing(text: string): string | undefined {
  const paths = [...text.matchAll(/"([/@][^"]*)"/g)].map(([, path]) => whyNeverThere(path!))
  return paths.find((why) => why !== undefined)
}

function written({ priority, audit, deny, owner }: Qualifiers, text: string): string {
  const prefix = [priority === undefined ? '' : `priority=${priority}`, audit ? 'audit' : '', deny ? 'deny' : '', owner]
  return [...prefix.filter((word) => word !== ''), text].join(' ')
}

/** Turns a silent denial into a reported denial; other lines stay as they are. */
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
