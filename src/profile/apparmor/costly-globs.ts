import { parseEnforcers } from '../../api/enforcer.ts'
import { type FieldError, join } from '../../api/field-error.ts'
import type { AnyPolicy } from '../../api/types.ts'
import { textError } from './raw-rules.ts'
import { BadText, type Token, tokensOf } from './tokens.ts'

/**
 * Maximum wildcards after a `*`. Each wildcard may double the number of the parser's states, and the time grows with
 * the square of this number: `/**[a-m]` takes 0.1 s with seven `?`, and seven seconds with twelve `?`.
 */
const MAX_BEHIND_STAR = 8

/**
 * Globs that may take apparmor_parser too long, with the error for the field where each glob first occurs. Only
 * admission refuses these globs. Nodes compile stored policies with such globs, because many compile quickly and the
 * parser has time limits. @param object may have any shape
 * @param faults the errors of `validatePolicy`; if there are any, globs are not checked
 */
export function costlyGlobs(object: unknown, faults: readonly FieldError[]): Map<string, FieldError> {
  const found = new Map<string, FieldError>()
  for (const [path, text] of faults.length > 0 ? [] : textsOf(object as AnyPolicy))
    for (const { kind, text: glob, line } of soundTokens(text))
      if ((kind === 'word' || kind === 'quoted') && isCostly(glob) && !found.has(glob)) {
        const problem = `${JSON.stringify(glob)}: more than ${MAX_BEHIND_STAR} of "?", "[" and "{" after a "*" are too costly to compile: write fewer, or replace them with "*"`
        found.set(glob, textError(path, text, new BadText(line, problem)))
      }
  return found
}

/** The texts of the policy in AppArmor's language. */
function textsOf({ spec: { policy } }: AnyPolicy): [path: string, text: string][] {
  const { mode, enhanceProtect, defenseInDepth } = policy
  const parsed = parseEnforcers(policy.enforcer)
  if (!parsed.ok || !parsed.enforcers.includes('AppArmor')) return []
  const rawRules = (path: string, rules = enhanceProtect?.appArmorRawRules): [string, string][] =>
    (rules ?? []).map((one, i) => [join(join(join(path, 'appArmorRawRules'), i), 'rules'), one.rules])
  if (mode === 'EnhanceProtect') return rawRules('spec.policy.enhanceProtect')
  const own = defenseInDepth?.appArmor
  if (mode !== 'DefenseInDepth' || own === undefined) return []
  const at = 'spec.policy.defenseInDepth.appArmor'
  const profile = own.profileType === 'Custom' ? own.customProfile : undefined
  return [
    ...(profile === undefined ? [] : [[join(at, 'customProfile'), profile] as [string, string]]),
    ...rawRules(at, own.appArmorRawRules ?? []),
  ]
}

function soundTokens(text: string): Token[] {
  try {
    return tokensOf(text)
  } catch (problem) {
    // The compiler reports this error.
    if (problem instanceof BadText) return []
    throw problem
  }
}

/** An escape, a class or a variable is one part. */
const parts = /\\.|@\{\w+\}|\[[^\]]*\]|[*?{}/]/gs

function isCostly(glob: string): boolean {
  let depth = 0
  /** Number of `?`, classes and braces after the first `*` of this segment; undefined before the `*`. */
  let behindStar: number | undefined
  for (const [part] of glob.matchAll(parts)) {
    if (part === '*') behindStar ??= 0
    else if (part === '/' && depth === 0) behindStar = undefined
    else if (/^[?[{]/.test(part) && behindStar !== undefined) behindStar += 1
    if (part === '{') depth += 1
    if (part === '}') depth -= 1
    if ((behindStar ?? 0) > MAX_BEHIND_STAR) return true
  }
  return false
}
