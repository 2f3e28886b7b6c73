import { byCodePoint, goJson, goQuote, goValue } from '../go-text.ts'
import { isObject, type JsonObject, type JsonValue, setField } from '../schema/json.ts'

/**
 * A step of a path, in FieldsV1 form: `f:name` for a field, `k:{"name":"x"}` for an item with these keys, `v:"x"` for
 * an item of a set, `i:0` for an item at this position. Keys are sorted and JSON is compact, so that equal steps are
 * equal texts.
 */
export type PathElement = string

export const fieldElement = (name: string): PathElement => `f:${name}`
export const keyElement = (keys: JsonObject): PathElement => `k:${goJson(keys)}`
export const valueElement = (value: JsonValue): PathElement => `v:${goJson(value)}`

const printed = (value: JsonValue): string => (typeof value === 'string' ? goQuote(value) : goValue(value))

/** A step as the texts of conflicts show it: `.name`, `[name="x"]`, `[="x"]`, `[0]`. */
export function elementText(element: PathElement): string {
  const content = element.slice(2)
  if (element.startsWith('f:')) return `.${content}`
  if (element.startsWith('i:')) return `[${content}]`
  const value = JSON.parse(content) as JsonValue
  if (element.startsWith('v:')) return `[=${printed(value)}]`
  const keys = Object.entries(value as JsonObject).map(([name, part]) => `${name}=${printed(part as JsonValue)}`)
  return `[${keys.join(',')}]`
}

export const pathText = (path: readonly PathElement[]): string => path.map(elementText).join('')

// The order of step kinds in a serialized set: fields, keys, values, positions.
const rank = (element: PathElement): number => 'fkvi'.indexOf(element.charAt(0))
const inOrder = (a: PathElement, b: PathElement): number => rank(a) - rank(b) || byCodePoint(a, b)

/** The canonical form of a step from another writer; undefined if the step is invalid. */
function canonical(text: string): PathElement | undefined {
  if (/^(f:|i:\d+$)/.test(text)) return text
  if (!/^[kv]:/.test(text)) return undefined
  try {
    return text.slice(0, 2) + goJson(JSON.parse(text.slice(2)) as JsonValue)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** A set of paths (structured-merge-diff's `fieldpath.Set`). Sets do not change: each operation returns a new set. */
export class FieldSet {
  /** Last steps of the paths in this set that end here. */
  readonly members: ReadonlySet<PathElement>
  /** The sets of the steps below; no set is empty. */
  readonly children: ReadonlyMap<PathElement, FieldSet>

  constructor(members: Iterable<PathElement> = [], children: Iterable<readonly [PathElement, FieldSet]> = []) {
    this.members = new Set(members)
    this.children = new Map([...children].filter(([, set]) => !set.isEmpty))
  }

  static of(...paths: readonly (readonly PathElement[])[]): FieldSet {
    const builder = new FieldSetBuilder()
    for (const path of paths) builder.insert(path)
    return builder.build()
  }

  get isEmpty(): boolean {
    return this.members.size === 0 && this.children.size === 0
  }

  /** The paths that start with this step, without the step. */
  below(element: PathElement): FieldSet {
    return this.children.get(element) ?? EMPTY
  }

  union(other: FieldSet): FieldSet {
    const elements = new Set([...this.children.keys(), ...other.children.keys()])
    return new FieldSet(
      [...this.members, ...other.members],
      [...elements].map((element) => [element, this.below(element).union(other.below(element))]),
    )
  }

  intersection(other: FieldSet): FieldSet {
    return new FieldSet(
      [...this.members].filter((element) => other.members.has(element)),
      [...this.children].map(([element, set]) => [element, set.intersection(other.below(element))]),
    )
  }

  difference(other: FieldSet): FieldSet {
    return new FieldSet(
      [...this.members].filter((element) => !other.members.has(element)),
      [...this.children].map(([element, set]) => [element, set.difference(other.below(element))]),
    )
  }

  /** The difference of two sets. If `other` has a path, all paths below it are removed, too. */
  recursiveDifference(other: FieldSet): FieldSet {
    return new FieldSet(
      [...this.members].filter((element) => !other.members.has(element)),
      [...this.children]
        .filter(([element]) => !other.members.has(element))
        .map(([element, set]) => [element, set.recursiveDifference(other.below(element))]),
    )
  }

  /** All paths. Members come before the paths below them. */
  paths(): PathElement[][] {
    const here = [...this.members].sort(inOrder).map((element) => [element])
    const below = [...this.children].sort(([a], [b]) => inOrder(a, b))
    return [...here, ...below.flatMap(([element, set]) => set.paths().map((path) => [element, ...path]))]
  }

  /** The `fieldsV1` of a managedFields entry. */
  toFieldsV1(): JsonObject {
    const fields: JsonObject = {}
    for (const element of [...new Set([...this.members, ...this.children.keys()])].sort(inOrder)) {
      const below = this.below(element).toFieldsV1()
      const self = this.members.has(element) && this.children.has(element)
      setField(fields, element, self ? { '.': {}, ...below } : below)
    }
    return fields
  }

  /** Reads a FieldsV1 object; undefined if it is invalid. */
  static fromFieldsV1(fields: JsonValue | undefined): FieldSet | undefined {
    if (!isObject(fields)) return undefined
    const members: PathElement[] = []
    const children: [PathElement, FieldSet][] = []
    for (const [name, content] of Object.entries(fields)) {
      if (name === '.') continue
      const [element, below] = [canonical(name), FieldSet.fromFieldsV1(content)]
      if (element === undefined || below === undefined) return undefined
      if (below.isEmpty || Object.hasOwn(content as JsonObject, '.')) members.push(element)
      children.push([element, below])
    }
    return new FieldSet(members, children)
  }
}

/** Collects the paths of a walk one by one, in any order. */
export class FieldSetBuilder {
  readonly #members = new Set<PathElement>()
  readonly #children = new Map<PathElement, FieldSetBuilder>()

  insert(path: readonly PathElement[]): void {
    const [first, ...rest] = path
    if (first === undefined) return
    if (rest.length === 0) this.#members.add(first)
    else {
      const below = this.#children.get(first) ?? new FieldSetBuilder()
      this.#children.set(first, below)
      below.insert(rest)
    }
  }

  build(): FieldSet {
    return new FieldSet(
      this.#members,
      [...this.#children].map(([element, builder]) => [element, builder.build()]),
    )
  }
}

export const EMPTY = new FieldSet()

/** Plain field names as a path, such as `['status']` or `['metadata', 'labels']`. */
export const fieldPath = (names: readonly string[]): PathElement[] => names.map(fieldElement)
