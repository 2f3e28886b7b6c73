import type { FieldError } from '../../api/field-error.ts'
import type { AppArmorFeatures } from '../context.ts'
import type { Skipped } from '../result.ts'
import type { Transitions } from './file-grammar.ts'
import { comment } from './quoted.ts'
import { type ParsedRule, parseRule, refused } from './rule-grammar.ts'
import { BadText, type Token, tokensOf } from './tokens.ts'

/** Rules of a user, parsed and printed again. */
export interface RawRules {
  /** The field of the policy. */
  path: string
  rules: readonly ParsedRule[]
  /** One line for each rule or comment, in the user's order. */
  lines: readonly string[]
  skipped: readonly Skipped[]
  errors: readonly FieldError[]
}

const EXCERPT = 60

/** The error for a mistake in the text of the field `path`. `given` is the line with the mistake. */
export function textError(path: string, text: string, { line, message }: BadText): FieldError {
  const given = (text.split('\n')[line - 1] ?? '').trim()
  const shown = given.length > EXCERPT ? `${given.slice(0, EXCERPT)}…` : given
  return { code: 'BAD_APPARMOR_RULE', path, given: shown, problem: `line ${line}: ${message}` }
}

/** Errors for braces in raw rules. */
const braces = {
  '{': 'a "{" opens a block here: write the qualifiers before each rule, and a path with its slash first',
  '}': 'this "}" would close the profile that contains the rules',
}

/** The tokens of a rule, up to its comma. `next`: the index after the comma. */
export function takeRule(tokens: readonly Token[], start: number): { rule: Token[]; next: number } {
  let parentheses = 0
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at]!
    if (token.kind === '(') parentheses += 1
    if (token.kind === ')') parentheses -= 1
    if (token.kind === '}' && at > start)
      throw new BadText(tokens[at - 1]!.line, 'a comma is missing after the rule, before "}"')
    if (token.kind === '{' || token.kind === '}') throw new BadText(token.line, braces[token.kind])
    if (token.kind === ',' && parentheses <= 0) return { rule: withoutComments(tokens.slice(start, at)), next: at + 1 }
  }
  throw new BadText(tokens.at(-1)!.line, 'a comma is missing after the last rule')
}

function withoutComments(tokens: readonly Token[]): Token[] {
  return tokens.filter(({ kind }) => kind !== 'comment')
}

/** Continues after the next comma, so that later mistakes are reported too. */
function afterMistake(tokens: readonly Token[], start: number): number {
  let at = start
  while (at < tokens.length && tokens[at]!.kind !== ',') at += 1
  return at + 1
}

/** Maximum reported mistakes of one text. */
const MAX_MISTAKES = 50

class Reader {
  readonly rules: ParsedRule[] = []
  readonly lines: string[] = []
  readonly errors: FieldError[] = []
  private readonly path: string
  private readonly text: string
  private readonly features: AppArmorFeatures
  private readonly transitions: Transitions

  constructor(path: string, text: string, features: AppArmorFeatures, transitions: Transitions) {
    this.path = path
    this.text = text
    this.features = features
    this.transitions = transitions
  }

  read(): void {
    const tokens = this.guarded(() => tokensOf(this.text)) ?? []
    for (let at = 0; at < tokens.length && this.errors.length < MAX_MISTAKES; ) {
      at = this.guarded(() => this.one(tokens, at)) ?? afterMistake(tokens, at)
    }
    if (this.rules.length === 0 && this.errors.length === 0) {
      this.errors.push({ code: 'BAD_APPARMOR_RULE', path: this.path, problem: 'the text does not contain a rule' })
    }
  }

  private one(tokens: readonly Token[], at: number): number {
    const token = tokens[at]!
    if (token.kind === 'include')
      throw new BadText(token.line, '"#include" is not a comment, and raw rules cannot include files')
    const refusal = token.kind === 'word' ? refused.get(token.text) : undefined
    if (refusal !== undefined) throw new BadText(token.line, refusal)
    if (token.kind === 'comment') {
      this.lines.push(comment(token.text.trim()))
      return at + 1
    }
    const { rule, next } = takeRule(tokens, at)
    if (rule.length === 0) throw new BadText(token.line, 'no rule precedes this comma')
    const parsed = parseRule(rule, this.features, this.transitions)
    this.rules.push(parsed)
    this.lines.push(
      parsed.needs === undefined ? `${parsed.text},` : comment(`left out: ${parsed.text} (${parsed.needs})`),
    )
    return next
  }

  private guarded<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (problem) {
      if (!(problem instanceof BadText)) throw problem
      this.errors.push(textError(this.path, this.text, problem))
      return undefined
    }
  }
}

/**
 * Reads AppArmor rules of a user. The text becomes part of vArmor's profile, and must not close or change the profile:
 * braces, includes, profiles, hats, variables, conditions and flags are refused. Transitions out of the profile (`px`,
 * `cx`, `ux`, change_profile) are refused, too, because a tenant must not remove the confinement of a workload.
 */
export function readRawRules(
  path: string,
  text: string,
  features: AppArmorFeatures,
  transitions: Transitions = {},
): RawRules {
  const reader = new Reader(path, text, features, transitions)
  reader.read()
  const extent = reader.rules.every(({ needs }) => needs !== undefined) ? ({ extent: 'all' } as const) : {}
  const skipped = reader.rules.flatMap(({ text: rule, needs }): Skipped[] =>
    needs === undefined ? [] : [{ enforcer: 'AppArmor', path, rule, reason: needs, ...extent }],
  )
  return { path, rules: reader.rules, lines: reader.lines, skipped, errors: reader.errors }
}
