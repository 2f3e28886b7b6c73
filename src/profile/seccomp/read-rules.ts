import { type FieldError, join, nearestName } from '../../api/field-error.ts'
import { isSyscall, syscallNames } from '../../api/linux-syscalls.ts'
import type { Skipped } from '../result.ts'
import { type Comparison, readComparison, type WrittenComparison } from './comparison.ts'
import type { SyscallRule } from './syscall-rule.ts'
import { type Action, actions, MAX_ARGUMENT, maxErrno, type Operator, operators, takesErrno } from './vocabulary.ts'

/** The checked rules of a user's list. */
export interface ReadRules {
  /** Each rule with the path of its list element. */
  rules: { rule: SyscallRule; path: string }[]
  errors: FieldError[]
  skipped: Skipped[]
}

/**
 * Makes an error. For a raw rule, `path` is a field of the policy. For a custom profile, `path` is a path within the
 * JSON of the profile, and the error is about the field that contains the JSON.
 */
export type Report = (path: string, problem: string, more?: Partial<FieldError>) => FieldError

export const badRule: Report = (path, problem, more) => ({ code: 'BAD_SECCOMP_RULE', path, problem, ...more })

/**
 * Reads a `syscalls` list of the OCI runtime specification as runc would. Returns an error where runc would not start
 * the container, and names the parts that runc would silently ignore. `list` may have any shape.
 * @param notify whether a listener exists for SCMP_ACT_NOTIFY
 */
export function readRules(list: unknown, path: string, report: Report, notify: boolean): ReadRules {
  const read: ReadRules = { rules: [], errors: [], skipped: [] }
  if (!Array.isArray(list)) {
    read.errors.push(report(path, 'must be a list of rules'))
    return read
  }
  const nearest = nearestCalls()
  for (const [i, entry] of list.entries()) {
    const checked = readEntry(entry, join(path, i), report, notify, read)
    if (checked !== undefined) addRules(checked, join(path, i), read, nearest)
  }
  return read
}

/** Maximum unknown call names that get a suggestion, because each suggestion compares all names of Linux's calls. */
const MAX_HINTS = 50

function nearestCalls(): (name: string) => string | undefined {
  const found = new Map<string, string | undefined>()
  return (name) => {
    if (!found.has(name) && found.size < MAX_HINTS) found.set(name, nearestName(name, syscallNames()))
    return found.get(name)
  }
}

type Entry = { names: string[]; action: Action; errno?: number; alternatives: Comparison[][] }

/** @returns the entry; undefined after errors */
function readEntry(entry: unknown, path: string, report: Report, notify: boolean, read: ReadRules): Entry | undefined {
  const before = read.errors.length
  const fail: Report = (step, problem, more) => {
    const error = report(step === '' ? path : join(path, step), problem, more)
    read.errors.push(error)
    return error
  }
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    fail('', 'must be a rule with names and an action')
    return undefined
  }
  const { names, action, errnoRet, args } = entry as Record<string, unknown>
  checkFields(entry, fail)
  checkNames(names, fail)
  checkAction(action, names, notify, fail)
  checkErrno(errnoRet, action, fail)
  const written = readArguments(args, fail)
  if (read.errors.length > before) return undefined
  return {
    names: names as string[],
    action: action as Action,
    alternatives: alternatives(written),
    ...(errnoRet !== undefined && { errno: errnoRet as number }),
  }
}

function addRules(
  { names, action, errno, alternatives }: Entry,
  path: string,
  read: ReadRules,
  nearest: (name: string) => string | undefined,
): void {
  const isVain = alternatives.length === 0 || !names.some(isSyscall)
  const extent = isVain ? ({ extent: 'all' } as const) : {}
  const skip = (rule: string, reason: string) =>
    read.skipped.push({ enforcer: 'Seccomp', path, rule, reason, ...extent })
  if (alternatives.length === 0)
    skip(names.join(', '), 'no argument can meet the comparison, so the rule never applies')
  for (const name of names) {
    if (!isSyscall(name)) skip(name, unknownSyscall(nearest(name)))
  }
  for (const when of alternatives) {
    for (const name of names.filter(isSyscall)) {
      read.rules.push({ path, rule: { name, action, when, ...(errno !== undefined && { errno }) } })
    }
  }
}

function unknownSyscall(nearest: string | undefined): string {
  const hint = nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`
  return `Linux has no system call with this name, and container runtimes ignore it${hint}`
}

/**
 * Alternative conditions of the rule; each is a list of comparisons that must all hold. Comparisons are joined by
 * "and", unless one argument is compared twice: then runc joins all by "or" (libcontainer/seccomp/seccomp_linux.go,
 * `matchCall`).
 */
function alternatives(written: readonly WrittenComparison[]): Comparison[][] {
  const indexes = new Set(written.map(({ index }) => index))
  const groups = indexes.size < written.length ? written.map((one) => [one]) : [written]
  return groups.map((group) => group.map(readComparison)).filter(isPossible)
}

function isPossible(group: (Comparison | 'never')[]): group is Comparison[] {
  return !group.includes('never')
}

const knownFields = ['names', 'action', 'errnoRet', 'args', 'comment']

function checkFields(entry: object, fail: Report): void {
  for (const field of Object.keys(entry)) {
    if (field === 'includes' || field === 'excludes') {
      fail(
        field,
        "belongs to Docker's own profile format; a runtime ignores it and applies the rule to every container",
      )
    } else if (!knownFields.includes(field)) {
      const nearest = nearestName(field, knownFields)
      fail(field, 'is not a field of a rule', { allowed: knownFields.join(', '), ...(nearest && { nearest }) })
    }
  }
}

function checkNames(names: unknown, fail: Report): void {
  if (!Array.isArray(names) || names.length === 0) fail('names', 'must list one or more system calls')
  else {
    for (const [i, name] of names.entries()) {
      if (typeof name !== 'string' || name === '') {
        fail(`names[${i}]`, 'must be the name of a system call', { given: name })
      }
    }
  }
}

function checkAction(action: unknown, names: unknown, notify: boolean, fail: Report): void {
  if (!isAction(action)) {
    const nearest = typeof action === 'string' ? nearestName(action, actions) : undefined
    const given = action === undefined ? {} : { given: action }
    fail('action', 'is not a seccomp action', { ...given, allowed: actions.join(', '), ...(nearest && { nearest }) })
  } else if (action === 'SCMP_ACT_NOTIFY' && !notify) {
    fail('action', 'needs a listener, and the profile has no listenerPath', { given: action })
  } else if (action === 'SCMP_ACT_NOTIFY' && Array.isArray(names) && names.includes('write')) {
    fail('action', 'cannot be used for write, because runc hands over the listener with write', { given: action })
  }
}

function checkErrno(errnoRet: unknown, action: unknown, fail: Report): void {
  if (errnoRet === undefined || !isAction(action)) return
  const problem = errnoProblem(errnoRet, action)
  if (problem !== undefined) fail('errnoRet', problem, { given: errnoRet })
}

export function isAction(action: unknown): action is Action {
  return actions.includes(action as Action)
}

/** The error if `errnoRet` or `defaultErrnoRet` is not valid for the action. */
export function errnoProblem(errnoRet: unknown, action: Action): string | undefined {
  if (!takesErrno(action)) return `has no meaning for ${action}, and runtimes reject it`
  if (isWholeNumber(errnoRet, maxErrno(action))) return undefined
  return `must be a whole number from 0 to ${maxErrno(action)}`
}

export function isWholeNumber(value: unknown, max = Number.MAX_SAFE_INTEGER): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
}

function readArguments(args: unknown, fail: Report): WrittenComparison[] {
  if (args === undefined || args === null) return []
  if (Array.isArray(args)) return args.flatMap((arg, i) => readArgument(arg, `args[${i}]`, fail))
  fail('args', 'must be a list of comparisons')
  return []
}

function readArgument(arg: unknown, step: string, fail: Report): WrittenComparison[] {
  if (typeof arg !== 'object' || arg === null || Array.isArray(arg)) {
    fail(step, 'must be a comparison with index, value and op')
    return []
  }
  const { index, value, valueTwo, op } = arg as Record<string, unknown>
  if (!isWholeNumber(index, MAX_ARGUMENT)) {
    fail(`${step}.index`, 'must be the number of an argument', { ...given(index), allowed: `0 to ${MAX_ARGUMENT}` })
  }
  checkValue(value, `${step}.value`, fail)
  if (valueTwo !== undefined) checkValue(valueTwo, `${step}.valueTwo`, fail)
  if (!operators.includes(op as Operator)) {
    const nearest = typeof op === 'string' ? nearestName(op, operators) : undefined
    const more = { ...given(op), allowed: operators.join(', '), ...(nearest && { nearest }) }
    fail(`${step}.op`, 'is not a comparison', more)
  }
  const two = valueTwo === undefined ? {} : { valueTwo: valueTwo as number }
  return [{ index: index as number, value: value as number, ...two, op: op as Operator }]
}

function given(value: unknown): Partial<FieldError> {
  return value === undefined ? {} : { given: value }
}

/** Refuse numbers above 2^53: not every program that handles the policy reads them exactly. */
function checkValue(value: unknown, step: string, fail: Report): void {
  if (isWholeNumber(value)) return
  fail(step, 'must be a whole number that JSON can represent exactly', { ...given(value), allowed: '0 to 2^53 - 1' })
}
