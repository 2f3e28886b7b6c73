import { type FieldError, join, nearestName } from '../../api/field-error.ts'
import { parseJson } from './json.ts'
import { badRule, errnoProblem, isAction, type ReadRules, type Report, readRules } from './read-rules.ts'
import { type Action, actions, architectures, bigEndian, flags } from './vocabulary.ts'

/** A whole profile, from a user or from a behaviour model. */
export interface CustomProfile extends ReadRules {
  defaultAction: Action
  /** Fields that are copied unchanged. */
  rest: {
    defaultErrnoRet?: number
    architectures?: string[]
    flags?: string[]
    listenerPath?: string
    listenerMetadata?: string
  }
}

const knownFields = [
  'defaultAction',
  'defaultErrnoRet',
  'architectures',
  'flags',
  'listenerPath',
  'listenerMetadata',
  'syscalls',
  'comment',
]

/**
 * Parses the JSON of an OCI seccomp profile in the field `path`, and checks it as runc would. Each error has this path;
 * its text gives the line and column of a JSON error, or the path within the JSON.
 */
export function readCustomProfile(text: string, path: string): CustomProfile {
  const fail: Report = (inner, problem, more) => badRule(path, inner === '' ? problem : `${inner} ${problem}`, more)
  const parsed = parseJson(text)
  if (!parsed.ok) {
    const where = `line ${parsed.line}, column ${parsed.column}`
    return failed(fail('', `is not JSON: ${where}: ${parsed.problem}`))
  }
  const { value } = parsed
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return failed(fail('', 'must be a JSON object'))
  return readProfile(value as Record<string, unknown>, path, fail)
}

function failed(error: FieldError): CustomProfile {
  return { defaultAction: 'SCMP_ACT_ERRNO', rest: {}, rules: [], errors: [error], skipped: [] }
}

function readProfile(profile: Record<string, unknown>, path: string, fail: Report): CustomProfile {
  const { defaultAction, syscalls = [], ...others } = profile
  const notify = typeof others['listenerPath'] === 'string' && others['listenerPath'] !== ''
  const read = readRules(syscalls ?? [], 'syscalls', fail, notify)
  const skipped = read.skipped.map((skip) => ({ ...skip, path, reason: `${skip.path}: ${skip.reason}` }))
  const errors = [
    ...checkFields(profile, fail),
    ...checkDefault(defaultAction, others['defaultErrnoRet'], fail),
    ...checkWords(others['architectures'], 'architectures', architectures, fail),
    ...checkByteOrder(others['architectures'], fail),
    ...checkWords(others['flags'], 'flags', flags, fail),
    ...checkTexts(others, fail),
    ...checkListener(others['listenerPath'], fail),
    ...read.errors,
  ]
  const { comment: _, ...rest } = others
  return { defaultAction: defaultAction as Action, rest, rules: read.rules, errors, skipped }
}

function checkFields(profile: object, fail: Report): FieldError[] {
  return Object.keys(profile)
    .filter((field) => !knownFields.includes(field))
    .map((field) => {
      if (field === 'archMap') return fail(field, "belongs to Docker's own profile format; use architectures")
      const nearest = nearestName(field, knownFields)
      return fail(field, 'is not a field of a profile', {
        allowed: knownFields.join(', '),
        ...(nearest && { nearest }),
      })
    })
}

function checkDefault(action: unknown, errno: unknown, fail: Report): FieldError[] {
  if (!isAction(action)) {
    const nearest = typeof action === 'string' ? nearestName(action, actions) : undefined
    const given = action === undefined ? {} : { given: action }
    return [
      fail('defaultAction', 'is not a seccomp action', {
        ...given,
        allowed: actions.join(', '),
        ...(nearest && { nearest }),
      }),
    ]
  }
  if (action === 'SCMP_ACT_NOTIFY') return [fail('defaultAction', 'cannot be SCMP_ACT_NOTIFY: a runtime refuses it')]
  const problem = errno === undefined ? undefined : errnoProblem(errno, action)
  return problem === undefined ? [] : [fail('defaultErrnoRet', problem, { given: errno })]
}

function checkWords(value: unknown, field: string, words: readonly string[], fail: Report): FieldError[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) return [fail(field, 'must be a list')]
  return value.flatMap((word, i) => {
    if (words.includes(word)) return []
    const nearest = typeof word === 'string' ? nearestName(word, words) : undefined
    const more = { given: word, allowed: words.join(', '), ...(nearest && { nearest }) }
    return [fail(join(field, i), 'is not known to runc', more)]
  })
}

function checkByteOrder(value: unknown, fail: Report): FieldError[] {
  if (!Array.isArray(value)) return []
  const known = value.filter((name) => architectures.includes(name))
  const big = known.filter((name) => bigEndian.includes(name))
  if (big.length === 0 || big.length === known.length) return []
  return [fail('architectures', 'mixes both byte orders, and runtimes cannot load such a profile', { given: value })]
}

/** The usual sockets of agents for SCMP_ACT_NOTIFY. Only root can create a socket in this folder. */
const listeners = '/run/seccomp-agent.socket, or a name in /run/seccomp-agent/'

/**
 * The runtime connects as root of the node and sends the state of the container, so a policy must not choose any
 * socket.
 */
function checkListener(path: unknown, fail: Report): FieldError[] {
  if (typeof path !== 'string' || path === '') return []
  if (/^\/run\/seccomp-agent(?:\.socket|\/[A-Za-z0-9][\w.-]*)$/.test(path)) return []
  const problem = "is not a socket for listeners: the node's runtime would connect to it as root"
  return [fail('listenerPath', problem, { given: path, allowed: listeners })]
}

function checkTexts(others: Record<string, unknown>, fail: Report): FieldError[] {
  return ['listenerPath', 'listenerMetadata', 'comment']
    .filter((field) => others[field] !== undefined && typeof others[field] !== 'string')
    .map((field) => fail(field, 'must be text', { given: others[field] }))
}
