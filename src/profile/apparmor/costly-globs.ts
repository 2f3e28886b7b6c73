import { parseEnforcers } from '../../api/enforcer.ts'
import { type FieldError, join } from '../../api/field-error.ts'
import type { AnyPolicy } from '../../api/types.ts'
import { textError } from './raw-rules.ts'
import { BadText, type Token, tokensOf } from './tokens.ts'

/**
 * Each of these behind a `*` may double the parser's states, as it knows not where they begin, and the time goes with
 * their square: `/**[a-m]` with seven `?` takes 0.1 s, with twelve seven.
 */
const MAX_BEHIND_STAR = 8

/**
 * Globs of a policy that apparmor_parser may take too long for, each with the error of its first place. For what is to
 * be admitted: of what is stored, nodes compile all, for many of these globs are cheap, and the parser's own bounds
 * hold there.
 * @param object may be anything
 * @param faults what `validatePolicy` says of it; where that is something, the globs do not matter yet
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

/** What AppArmor has of the policy that is written in its language. */
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
    // The compiler says so.
    if (problem instanceof BadText) return []
    throw problem
  }
}

/** Escapes, classes and variables count as a whole. */
const parts = /\\.|@\{\w+\}|\[[^\]]*\]|[*?{}/]/gs

function isCostly(glob: string): boolean {
  let depth = 0
  /** Of `?`, classes and braces in this segment behind its first `*`; undefined before it. */
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
