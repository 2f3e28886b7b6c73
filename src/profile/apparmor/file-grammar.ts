import type { Statement } from './statement.ts'
import type { Token } from './tokens.ts'
import { pathOf, valueText } from './value.ts'

/** The facts about a file rule that other checks need: its path, and how it executes a program. */
export interface FileRule {
  text: string
  path: string
  /** Such as `ix` or `cx -> "child"`; empty if the rule does not execute the path, or denies its execution. */
  transition: string
  /** Whether the rule is about content, changes or execution of the file, and not only about locks and links. */
  concernsUse: boolean
}

/**
 * The transitions that a text may name. Raw rules must stay in their profile; a whole profile may use its own children.
 */
export interface Transitions {
  /** Whether the label names the profile or one of its children, for `px` and change_profile. */
  isOwnLabel?: (label: string) => boolean
  /** Whether the profile has a child of this name, for `cx`. */
  hasChild?: (name: string) => boolean
}

const permissions = /^(?:[rwalkm]|x|ix|[pc]i?x|[pc]?ux)+$/i
const LEAVES =
  'would run the program outside of this profile; use "ix", or give the program its own rules with `targets`'

interface Permissions {
  letters: string
  transition: string
}

function permissionsOf(token: Token, statement: Statement, deny: boolean): Permissions {
  if (token.kind !== 'word' || !permissions.test(token.text)) {
    statement.fail(`${JSON.stringify(token.text)} are not permissions; use r, w, a, l, k, m, x and ix`)
  }
  const lower = token.text.toLowerCase()
  const transitions = new Set(lower.match(/[pciu]*x/g) ?? [])
  const letters = [...new Set(lower.replace(/[pciu]*x/g, ''))].sort((a, b) => 'rwalkm'.indexOf(a) - 'rwalkm'.indexOf(b))
  if (letters.includes('w') && letters.includes('a')) statement.fail('"w" and "a" exclude each other: "w" includes "a"')
  if (transitions.size > 1) statement.fail(`${[...transitions].join(' and ')} exclude each other`)
  const [transition = ''] = transitions
  checkTransition(transition, statement, deny)
  // The case of the first letter decides whether the environment is cleaned. This matters only for transitions.
  const written = /[PCU][iu]?x/i.exec(token.text)?.[0] ?? transition
  return { letters: letters.join(''), transition: written }
}

function checkTransition(transition: string, statement: Statement, deny: boolean): void {
  if (deny && transition !== '' && transition !== 'x') statement.fail(`a deny rule must use "x", not "${transition}"`)
  if (!deny && transition === 'x') statement.fail('"x" does not say how the program is confined: use "ix"')
}

function checkTarget(transition: string, target: Token | undefined, statement: Statement, allowed: Transitions): void {
  const kind = transition.toLowerCase()
  if (kind === '' || kind === 'x' || kind === 'ix') {
    if (target !== undefined) statement.fail('"->" must follow a transition')
    return
  }
  const stays =
    kind.startsWith('c') && !kind.includes('u')
      ? allowed.hasChild !== undefined
      : kind === 'px' && target !== undefined && allowed.isOwnLabel?.(target.text) === true
  if (!stays) statement.fail(`"${transition}" ${LEAVES}`)
  if (kind.startsWith('c') && target !== undefined && allowed.hasChild?.(target.text) !== true) {
    statement.fail(`${JSON.stringify(target.text)} is not a child of this profile`)
  }
}

function isPath(token: Token | undefined): boolean {
  return token?.kind === 'quoted' || (token?.kind === 'word' && /^[/@]/.test(token.text))
}

/** `link [subset] FROM -> TO`: allows a hard link FROM to the file TO. */
export function linkRule(statement: Statement): string {
  const subset = statement.takesWord('subset') || statement.takes('<=') ? 'subset ' : ''
  const from = pathOf(statement.take())
  statement.expect('->')
  return `link ${subset}${from} -> ${pathOf(statement.take())}`
}

/** `PATH PERMISSIONS [-> PROFILE]`; the permissions may also come first. */
export function fileRule(statement: Statement, deny: boolean, allowed: Transitions): FileRule {
  const first = isPath(statement.next) ? pathOf(statement.take()) : undefined
  const { letters, transition } = permissionsOf(statement.take(), statement, deny)
  if (first === undefined && (statement.takesWord('subset') || statement.takes('<='))) {
    statement.fail('write a link with a subset of permissions as "link subset FROM -> TO"')
  }
  const path = first ?? pathOf(statement.take())
  const target = statement.takes('->') ? statement.take() : undefined
  if (target !== undefined && transition === '' && letters === 'l') return link(path, target)
  checkTarget(transition, target, statement, allowed)
  const to = target === undefined ? '' : ` -> ${valueText(target)}`
  const executed = transition === '' || transition === 'x' ? '' : `${transition}${to}`
  const concernsUse = transition !== '' || /[rwam]/.test(letters)
  return { text: `${path} ${letters}${transition}${to}`, path, transition: executed, concernsUse }
}

function link(path: string, target: Token): FileRule {
  return { text: `link ${path} -> ${pathOf(target)}`, path, transition: '', concernsUse: false }
}
