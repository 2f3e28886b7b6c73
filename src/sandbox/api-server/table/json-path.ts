import { isObject, type JsonValue } from '../schema/json.ts'

/** A step of a path: it turns each value into none, one or many. */
type Step = (value: JsonValue) => JsonValue[]

const field =
  (name: string): Step =>
  (value) => {
    const found = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
    return found === undefined ? [] : [found]
  }

const index =
  (position: number): Step =>
  (value) => {
    const found = Array.isArray(value) ? value.at(position) : undefined
    return found === undefined ? [] : [found]
  }

const all: Step = (value) =>
  Array.isArray(value) ? value : isObject(value) ? (Object.values(value) as JsonValue[]) : []

const comparisons: Record<string, (a: JsonValue, b: JsonValue) => boolean> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => (a as number) < (b as number),
  '<=': (a, b) => (a as number) <= (b as number),
  '>': (a, b) => (a as number) > (b as number),
  '>=': (a, b) => (a as number) >= (b as number),
}

function filter(path: string, operator: string | undefined, literal: string | undefined): Step | undefined {
  const inner = compileJsonPath(path)
  if (inner === undefined) return undefined
  const wanted = literal === undefined ? undefined : literalValue(literal)
  const compare = operator === undefined ? undefined : comparisons[operator]
  return (value) =>
    (Array.isArray(value) ? value : []).filter((item) => {
      const [found] = inner(item)
      if (found === undefined) return false
      return compare === undefined || wanted === undefined || compare(found, wanted)
    })
}

function literalValue(text: string): JsonValue {
  const quoted = /^(["'])(.*)\1$/s.exec(text)
  if (quoted !== null) return quoted[2] as string
  return text === 'true' || text === 'false' ? text === 'true' : Number(text)
}

const forms: [RegExp, (match: RegExpExecArray) => Step | undefined][] = [
  [/^\.\*/, () => all],
  [/^\.((?:\\.|[^.[\]\\])+)/, ([, name = '']) => field(name.replace(/\\(.)/g, '$1'))],
  [/^\[\s*'((?:\\.|[^'\\])*)'\s*\]/, ([, name = '']) => field(name.replace(/\\(.)/g, '$1'))],
  [/^\[\s*"((?:\\.|[^"\\])*)"\s*\]/, ([, name = '']) => field(name.replace(/\\(.)/g, '$1'))],
  [/^\[\s*(-?\d+)\s*\]/, ([, position]) => index(Number(position))],
  [/^\[\s*\*\s*\]/, () => all],
  [
    /^\[\?\(\s*@([^=!<>\s)]*)\s*(?:(==|!=|<=|>=|<|>)\s*("[^"]*"|'[^']*'|[^\s)]+)\s*)?\)\]/,
    ([, path = '', operator, literal]) => filter(path, operator, literal),
  ],
]

/**
 * Compiles a path of a printer column (`.status.conditions[?(@.type=="Ready")].status`) to a function that finds all
 * values; undefined for what is no such path.
 */
export function compileJsonPath(path: string): ((value: JsonValue) => JsonValue[]) | undefined {
  const steps: Step[] = []
  let rest = path.trim().replace(/^\$/, '')
  while (rest !== '' && rest !== '.') {
    const [match, make] =
      forms.map(([form, build]) => [form.exec(rest), build] as const).find(([found]) => found !== null) ?? []
    const step = match === null || match === undefined ? undefined : make?.(match)
    if (step === undefined || match === null || match === undefined) return undefined
    steps.push(step)
    rest = rest.slice(match[0].length)
  }
  return (value) => steps.reduce<JsonValue[]>((values, step) => values.flatMap(step), [value])
}
