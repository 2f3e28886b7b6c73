import { isAddress, isBlock } from './address.ts'
import { enforcers, parseEnforcers } from './enforcer.ts'
import { type FieldError, nearestName } from './field-error.ts'
import { ipEntities } from './schema/bpf-rules.ts'
import type { SchemaNode, TextCheck } from './schema/node.ts'
import { findWord, listWords } from './vocabulary.ts'

/** An error in a text, without the path, which the caller adds. */
export type Problem = Omit<FieldError, 'path'>

const withNearest = (given: string, names: readonly string[]): Pick<FieldError, 'nearest'> => {
  const nearest = nearestName(given, names)
  return nearest === undefined ? {} : { nearest }
}

function enforcersProblem(given: string): Problem | undefined {
  const parsed = parseEnforcers(given)
  if (parsed.ok) return undefined
  const { rest, nearest } = parsed
  const which = rest === given ? 'the enforcer is unknown' : `the enforcer ${JSON.stringify(rest)} is unknown`
  const allowed = `${enforcers.join(', ')}, one name, or several without a separator`
  return { code: 'NOT_ALLOWED', given, problem: which, allowed, ...(nearest !== undefined && { nearest }) }
}

function addressProblem(given: string, entities: readonly string[]): Problem | undefined {
  if (isAddress(given) || entities.includes(given)) return undefined
  const allowed = ['an IPv4 or IPv6 address', ...entities].join(', ')
  const hint = isBlock(given) ? 'this is a CIDR block; write it in cidr' : 'this is not an IP address'
  return { code: 'BAD_ADDRESS', given, problem: hint, allowed, ...withNearest(given, entities) }
}

function blockProblem(given: string): Problem | undefined {
  if (isBlock(given)) return undefined
  const hint = isAddress(given) ? 'this is a single address; write it in ip' : 'this is not a CIDR block'
  return { code: 'BAD_ADDRESS', given, problem: hint, allowed: 'a CIDR block such as 10.0.0.0/8 or fd00::/8' }
}

function programProblem(given: string): Problem | undefined {
  const dots = given.split('/').find((segment) => segment === '.' || segment === '..')
  if (dots === undefined) return undefined
  return { code: 'BAD_PATTERN', given, problem: `a path of the kernel never has the segment "${dots}"` }
}

const checks: Record<TextCheck, (given: string) => Problem | undefined> = {
  enforcers: enforcersProblem,
  ip: (given) => addressProblem(given, []),
  'ip-or-entity': (given) => addressProblem(given, ipEntities),
  cidr: blockProblem,
  program: programProblem,
}

function wordProblem(node: SchemaNode, given: string): Problem | undefined {
  if (node.enum !== undefined && !node.enum.includes(given)) {
    const allowed = node.enum.join(', ')
    return {
      code: 'NOT_ALLOWED',
      given,
      problem: 'unknown value',
      allowed,
      ...withNearest(given, node.enum),
    }
  }
  if (node.words !== undefined && findWord(node.words, given) === undefined) {
    const allowed = listWords(node.words)
    const nearest = withNearest(given, Object.keys(node.words))
    return { code: 'NOT_ALLOWED', given, problem: 'unknown value', allowed, ...nearest }
  }
  return undefined
}

function lengthProblem(
  { minLength = 0, maxLength = Infinity, maxBytes = Infinity }: SchemaNode,
  given: string,
): Problem | undefined {
  if (given.length < minLength) return { code: 'NOT_ALLOWED', given, problem: 'this must not be empty' }
  // A text has at most three bytes for each UTF-16 unit, so most texts need no exact count of their bytes.
  const bytes = given.length * 3 > maxBytes ? Buffer.byteLength(given) : 0
  if (bytes > maxBytes) {
    return { code: 'TOO_LONG', given, problem: `this is ${bytes} bytes long`, allowed: `at most ${maxBytes} bytes` }
  }
  const characters = given.length > maxLength ? [...given].length : 0
  if (characters <= maxLength) return undefined
  return {
    code: 'TOO_LONG',
    given,
    problem: `this is ${characters} characters long`,
    allowed: `at most ${maxLength} characters`,
  }
}

const patterns = new Map<string, RegExp>()

/**
 * Whether `given` matches `pattern`. The CRDs contain the same pattern, so it is compiled to match code points, as in
 * the API server.
 */
export function matches(pattern: string, given: string): boolean {
  const compiled = patterns.get(pattern) ?? new RegExp(pattern, 'u')
  patterns.set(pattern, compiled)
  return compiled.test(given)
}

function patternProblem({ pattern, form, code = 'NOT_ALLOWED' }: SchemaNode, given: string): Problem | undefined {
  if (pattern === undefined || matches(pattern, given)) return undefined
  return { code, given, problem: 'this does not have the expected form', allowed: form ?? pattern }
}

// RFC 3339, as Kubernetes writes it.
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

function instantProblem({ format }: SchemaNode, given: string): Problem | undefined {
  if (format !== 'date-time' || instant.test(given)) return undefined
  return { code: 'NOT_ALLOWED', given, problem: 'this is not a time', allowed: 'a time such as 2026-01-31T12:00:00Z' }
}

/** The first error in a text according to its schema. */
export function textProblem(node: SchemaNode, given: string): Problem | undefined {
  if (/\p{Surrogate}/u.test(given)) {
    return {
      code: node.code ?? 'NOT_ALLOWED',
      given,
      problem: 'this contains half of a surrogate pair, which is not valid Unicode',
    }
  }
  // The length is checked first, because the other checks may be slow on a long text.
  const length = lengthProblem(node, given)
  if (length !== undefined) return length
  const checked = node.check === undefined ? undefined : checks[node.check](given)
  return checked ?? wordProblem(node, given) ?? patternProblem(node, given) ?? instantProblem(node, given)
}
