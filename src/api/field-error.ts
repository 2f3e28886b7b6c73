import { closest, distance } from 'fastest-levenshtein'

/**
 * The codes of field errors, with their meanings. Codes are part of the API and do not change; messages may change.
 * docs/reference/errors.md documents each code, and a test checks that the page is complete.
 */
export const fieldErrorCodes = {
  REQUIRED: 'a required field is missing',
  UNKNOWN_FIELD: 'a field that the schema does not have',
  WRONG_TYPE: 'a value of the wrong type',
  NOT_ALLOWED: 'a value outside the set, range or pattern of the field',
  CONFLICT: 'fields that exclude each other, or a field that another field requires',
  IMMUTABLE: 'a change of an immutable field',
  TOO_LONG: 'a value longer than its limit',
  UNKNOWN_RULE: 'a built-in rule name that does not exist, or that belongs to another category',
  BAD_PATTERN: 'a path pattern with a syntax error',
  BAD_APPARMOR_RULE: 'raw AppArmor text that is not a rule, or that would break out of its place in the profile',
  BAD_SECCOMP_RULE: 'a raw syscall rule or seccomp profile that a container runtime would refuse',
  BAD_ADDRESS: 'text that is not an IP address, CIDR block or port',
  TOO_LARGE: 'rules that compile to more than the BPF maps or an ArmorProfile can hold',
  TOO_COSTLY: 'rules that take more time or memory to compile than a policy may use',
  MISSING_MODEL: 'a behaviour model that the policy needs and that does not exist',
  UNPARSABLE: 'a document that is not YAML or JSON, or not an object of a known kind',
} as const

export type FieldErrorCode = keyof typeof fieldErrorCodes

/** One mistake in an object that a user wrote. */
export interface FieldError {
  code: FieldErrorCode
  /**
   * Path of the field, as `kubectl explain` writes it: `spec.policy.enhanceProtect.hardeningRules[2]`; empty for the
   * whole object.
   */
  path: string
  /** What is wrong and how to correct it, in one sentence without the path. */
  problem: string
  /** The value of the field, if it helps the user. */
  given?: unknown
  /** The allowed values: a list, a range or a form. */
  allowed?: string
  /** The nearest valid name, where the value is a name. */
  nearest?: string
}

const SHOWN_CHARACTERS = 80

function shown(given: unknown): string {
  const text = JSON.stringify(given) ?? String(given)
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`
}

/** One line for users: the path, the given value, the problem, the allowed values, and the nearest valid name. */
export function formatFieldError(error: FieldError): string {
  const parts = [error.path === '' ? '' : `${error.path}: `]
  if (error.given !== undefined) parts.push(`${shown(error.given)}: `)
  parts.push(error.problem)
  if (error.allowed !== undefined) parts.push(`; allowed: ${error.allowed}`)
  if (error.nearest !== undefined) parts.push(`; did you mean ${JSON.stringify(error.nearest)}?`)
  return parts.join('')
}

// A longer text is not similar to any name. The time of a comparison grows with the product of both lengths.
const MAX_NAME = 200

/**
 * Returns the name in `names` that is nearest to the mistyped `given`. Case does not matter, and `_` equals `-`.
 * Returns undefined if every name differs from `given` in more than a third of its letters.
 */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  if (names.length === 0 || given.length > MAX_NAME) return undefined
  const plain = (name: string) => name.toLowerCase().replaceAll('_', '-')
  const byPlain = new Map(names.map((name) => [plain(name), name]))
  const best = closest(plain(given), [...byPlain.keys()])
  const bound = Math.max(1, Math.floor(best.length / 3))
  return distance(plain(given), best) <= bound ? byPlain.get(best) : undefined
}

/** Appends a field or an index to a path: `join('spec', 'target')`, `join('rules', 0)`. */
export function join(path: string, step: string | number): string {
  if (typeof step === 'number') return `${path}[${step}]`
  return path === '' ? step : `${path}.${step}`
}
