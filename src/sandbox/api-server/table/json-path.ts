import { fieldOf, isObject, type JsonValue } from '../schema/json.ts'

/** A step of a path. The step maps each value to any number of values. */
type Step = (value: JsonValue) => JsonValue[]

const found = (value: JsonValue | undefined): JsonValue[] => (value === undefined ? [] : [value])

const field = (name: string): Step => {
  const plain = name.replace(/\\(.)/g, '$1')
  return (value) => (isObject(value) ? found(fieldOf(value, plain)) : [])
}

const all: Step = (value) =>
  Array.isArray(value) ? value : isObject(value) ? (Object.values(value) as JsonValue[]) : []

/** A step that keeps the items of a list whose field equals, or does not equal, the text. */
function filter(path: string, operator: string, text: string): Step | undefined {
  const inner = compileJsonPath(path)
  if (inner === undefined) return undefined
  return (value) =>
    (Array.isArray(value) ? value : []).filter((item) => {
      const [first] = inner(item)
      return first !== undefined && (String(first) === text) === (operator === '==')
    })
}

const forms: [RegExp, (match: RegExpExecArray) => Step | undefined][] = [
  [/^(?:\.\*|\[\s*\*\s*\])/, () => all],
  [/^\.((?:\\.|[^.[\]\\])+)/, ([, name = '']) => field(name)],
  [/^\[\s*(['"])((?:\\.|[^\\])*?)\1\s*\]/, ([, , name = '']) => field(name)],
  [
    /^\[\s*(-?\d+)\s*\]/,
    ([, position]) =>
      (value) =>
        found(Array.isArray(value) ? value.at(Number(position)) : undefined),
  ],
  [
    /^\[\?\(\s*@([^=!\s)]*)\s*(==|!=)\s*(["']?)([^"')]*)\3\s*\)\]/,
    ([, path = '', operator = '', , text = '']) => filter(path, operator, text),
  ],
]

/**
 * Compiles the path of a printer column (`.status.conditions[?(@.type=="Ready")].status`) to a function that finds all
 * values. Returns undefined if the path is invalid.
 */
export function compileJsonPath(path: string): ((value: JsonValue) => JsonValue[]) | undefined {
  const steps: Step[] = []
  let rest = path.trim().replace(/^\$/, '')
  while (rest !== '' && rest !== '.') {
    const matches = forms.map(([form, build]) => [form.exec(rest), build] as const)
    const [match, make] = matches.find(([one]) => one !== null) ?? []
    const step = match ? make?.(match) : undefined
    if (!match || step === undefined) return undefined
    steps.push(step)
    rest = rest.slice(match[0].length)
  }
  return (value) => steps.reduce<JsonValue[]>((values, step) => values.flatMap(step), [value])
}
