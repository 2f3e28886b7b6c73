import { TypeError as CelTypeError, Environment, EvaluationError, Optional, ParseError } from '@marcbachmann/cel-js'
import type { OpenApiSchema } from '../open-api-schema.ts'
import { registerListFunctions, registerListNamespaces } from './list-functions.ts'
import { registerNetworkFunctions } from './network-functions.ts'
import { registerQuantityFunctions } from './quantity-functions.ts'
import { syntaxErrors } from './syntax-errors.ts'
import { registerTextFunctions } from './text-functions.ts'
import { undefinedField } from './undefined-fields.ts'
import type { CelValue } from './values.ts'

/** What the server's expressions are made of, over some variables of any type. */
export function celEnvironment(variables: readonly string[]): Environment {
  const bare = variables.reduce(
    (extended, name) => extended.registerVariable(name, 'dyn'),
    new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false }),
  )
  return [
    registerListNamespaces,
    registerListFunctions,
    registerTextFunctions,
    registerNetworkFunctions,
    registerQuantityFunctions,
  ].reduce((extended, register) => register(extended), bare)
}
let shared: Environment | undefined

/** What cel-go's compiler would say of an expression; undefined where it is well made. */
export function celComplaint(environment: Environment, expression: string): string | undefined {
  const syntax = syntaxComplaint(expression)
  if (syntax !== undefined) return syntax
  try {
    const { valid, error } = environment.parse(expression).check()
    return valid ? undefined : complaintText(error, expression)
  } catch (error) {
    if (isCelError(error)) return complaintText(error, expression)
    throw error
  }
}

/** An expression of a rule, ready to run. */
export interface CelProgram {
  usesOldSelf: boolean
  /** Of its value, as far as the expression alone tells: `bool`, `string`; `dyn` when it does not. */
  type: string
  /** The value of the expression, or what went wrong, in cel-go's words. */
  run(self: CelValue, oldSelf: CelValue | Optional | undefined): { value: unknown } | { problem: string }
}

const isCelError = (error: unknown): error is ParseError | EvaluationError | CelTypeError =>
  error instanceof ParseError || error instanceof EvaluationError || error instanceof CelTypeError

/** cel-go's words for what the library found. */
function problemText(error: unknown): string {
  if (!isCelError(error)) return error instanceof Error ? error.message : String(error)
  const { summary } = error
  if (error.code === 'index_out_of_bounds') return `index out of bounds: ${/index (-?\d+)/.exec(summary)?.[1] ?? ''}`
  if (error.code === 'no_such_key') return `no such key: ${summary.replace(/^No such key: /, '')}`
  if (error.code === 'no_such_overload' || error.code === 'no_matching_overload') return 'no such overload'
  return summary
}

function names(node: unknown, wanted: string): boolean {
  if (Array.isArray(node)) return node.some((part) => names(part, wanted))
  if (typeof node !== 'object' || node === null) return false
  const { op, args } = node as { op?: unknown; args?: unknown }
  if (op === 'id') return args === wanted
  return names(args, wanted)
}

/**
 * Compiles an expression over `self` and `oldSelf`. Types are those of the values at run time, so a mistake of types
 * shows when a rule runs; syntax, unknown names and functions without a fit show here.
 * @param schema that of `self`, whose fields are then the only ones that there are.
 * @returns the program, or the compiler's complaint.
 */
export function compileCel(expression: string, schema?: OpenApiSchema): CelProgram | { complaint: string } {
  shared ??= celEnvironment(['self', 'oldSelf'])
  const syntax = syntaxComplaint(expression)
  if (syntax !== undefined) return { complaint: syntax }
  try {
    const parsed = shared.parse(expression)
    const checked = parsed.check()
    if (!checked.valid) return { complaint: complaintText(checked.error, expression) }
    const missing = schema === undefined ? undefined : undefinedField(parsed.ast, schema)
    if (missing !== undefined)
      return { complaint: marked(missing.dot, `undefined field '${missing.name}'`, expression) }
    return {
      usesOldSelf: names(parsed.ast, 'oldSelf'),
      type: checked.type ?? 'dyn',
      run(self, oldSelf) {
        try {
          return { value: parsed(oldSelf === undefined ? { self } : { self, oldSelf }) }
        } catch (error) {
          return { problem: problemText(error) }
        }
      },
    }
  } catch (error) {
    if (isCelError(error)) return { complaint: complaintText(error, expression) }
    throw error
  }
}

/** cel-go's form: `ERROR: <input>:1:6: <problem>`, lines and columns from 1, and the line with a mark. */
function marked(offset: number, text: string, expression: string): string {
  const before = expression.slice(0, offset).split('\n')
  const column = before.at(-1)!.length
  // Nothing has no columns, nor a line to show.
  if (expression === '') return `ERROR: <input>:1:0: ${text}`
  const line = expression.split('\n')[before.length - 1]!
  return `ERROR: <input>:${before.length}:${column + 1}: ${text}\n | ${line}\n | ${'.'.repeat(column)}^`
}

/** First, as the library lets through some of what cel-go does not, and says everything in other words. */
function syntaxComplaint(expression: string): string | undefined {
  const errors = syntaxErrors(expression)
  return errors.length === 0 ? undefined : errors.map(({ offset, text }) => marked(offset, text, expression)).join('\n')
}

function complaintText(error: unknown, expression: string): string {
  const place = isCelError(error) ? (error.range?.start ?? 0) : 0
  const summary = isCelError(error) ? error.summary : problemText(error)
  const unknown = /^Unknown variable: (.*)$/.exec(summary)
  const text = unknown === null ? summary : `undeclared reference to '${unknown[1]}' (in container '')`
  return marked(place, text, expression)
}

export { Optional }
