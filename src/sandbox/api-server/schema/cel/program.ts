import {
  TypeError as CelTypeError,
  Environment,
  EvaluationError,
  type Optional,
  ParseError,
} from '@marcbachmann/cel-js'
import type { CelValue } from './values.ts'

/** An environment for expressions that use these variables, of any type, and the library's functions. */
const environmentOf = (...variables: readonly string[]): Environment =>
  variables.reduce(
    (extended, name) => extended.registerVariable(name, 'dyn'),
    new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false }),
  )

const ruleEnvironment = environmentOf('self', 'oldSelf')

/** The variables of webhooks' `matchConditions`. `authorizer` does not exist here: a condition that uses it fails. */
export const matchEnvironment = environmentOf('object', 'oldObject', 'request', 'authorizer')

/** A compiled expression. */
export interface CelProgram {
  usesOldSelf: boolean
  /** Type of the value, `bool` or `string`, if the compiler knows it; otherwise `dyn`. */
  type: string
  /** The value of the expression, or the error in the server's words. */
  run(self: CelValue, oldSelf: CelValue | Optional | undefined): { value: unknown } | { problem: string }
}

type CelError = ParseError | EvaluationError | CelTypeError
const isCelError = (error: unknown): error is CelError =>
  error instanceof ParseError || error instanceof EvaluationError || error instanceof CelTypeError

/** The server's text for a runtime error of the library. */
function problemText(error: unknown): string {
  if (!isCelError(error)) return error instanceof Error ? error.message : String(error)
  const { code, summary } = error
  if (code === 'index_out_of_bounds') return `index out of bounds: ${/index (-?\d+)/.exec(summary)?.[1] ?? ''}`
  if (code === 'no_such_key') return `no such key: ${summary.replace(/^No such key: /, '')}`
  return code === 'no_such_overload' || code === 'no_matching_overload' ? 'no such overload' : summary
}

function names(node: unknown, wanted: string): boolean {
  if (Array.isArray(node)) return node.some((part) => names(part, wanted))
  if (typeof node !== 'object' || node === null) return false
  const { op, args } = node as { op?: unknown; args?: unknown }
  return op === 'id' ? args === wanted : names(args, wanted)
}

/** A compile error in the server's form: `ERROR: <input>:1:6: <problem>` and the line with a caret. */
function complaintText(error: CelError, expression: string): string {
  const before = expression.slice(0, error.range?.start ?? 0).split('\n')
  const column = before.at(-1)!.length
  const unknown = /^Unknown variable: (.*)$/.exec(error.summary)?.[1]
  const syntax = error instanceof ParseError ? 'Syntax error: ' : ''
  const text = unknown === undefined ? syntax + error.summary : `undeclared reference to '${unknown}' (in container '')`
  const line = expression.split('\n')[before.length - 1]!
  return `ERROR: <input>:${before.length}:${column + 1}: ${text}\n | ${line}\n | ${'.'.repeat(column)}^`
}

type Checked = { parsed: ReturnType<Environment['parse']>; type: string } | { complaint: string }

function checked(environment: Environment, expression: string): Checked {
  try {
    const parsed = environment.parse(expression)
    const { valid, error, type } = parsed.check()
    return valid ? { parsed, type: type ?? 'dyn' } : { complaint: complaintText(error as CelError, expression) }
  } catch (error) {
    if (isCelError(error)) return { complaint: complaintText(error, expression) }
    throw error
  }
}

/** The error of an expression; undefined if it is valid. */
export function celComplaint(environment: Environment, expression: string): string | undefined {
  const result = checked(environment, expression)
  return 'complaint' in result ? result.complaint : undefined
}

/**
 * Compiles an expression over `self` and `oldSelf`. Syntax errors, unknown names and unknown functions are found here;
 * types are checked at run time.
 * @returns the program, or the compiler's error
 */
export function compileCel(expression: string): CelProgram | { complaint: string } {
  const result = checked(ruleEnvironment, expression)
  if ('complaint' in result) return result
  const { parsed, type } = result
  return {
    usesOldSelf: names(parsed.ast, 'oldSelf'),
    type,
    run(self, oldSelf) {
      try {
        return { value: parsed(oldSelf === undefined ? { self } : { self, oldSelf }) }
      } catch (error) {
        return { problem: problemText(error) }
      }
    },
  }
}
