import { goNumber, goQuote, goValue } from '../go-text.ts'
import { isObject, type JsonObject, type JsonValue, sameJson, setField } from '../schema/json.ts'
import {
  type Atom,
  type AtomKind,
  atomOf,
  deduceAtom,
  entryType,
  isField,
  kindOf,
  type ListAtom,
  type MapAtom,
  type TypeRef,
} from './atom.ts'
import { elementText, FieldSet, FieldSetBuilder, fieldElement, type PathElement } from './field-set.ts'
import { itemsByElement, listElement } from './list-elements.ts'

type Maybe = JsonValue | undefined

/** `%#v` of a value, as the texts of structured-merge-diff have it. */
function goSyntax(value: JsonValue): string {
  if (typeof value === 'string') return goQuote(value)
  if (typeof value === 'number') return goNumber(value)
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`
  if (!isObject(value)) return value === null ? 'interface {}(nil)' : String(value)
  const fields = Object.entries(value).map(([name, field]) => `${goQuote(name)}:${goSyntax(field ?? null)}`)
  return `map[string]interface {}{${fields.join(', ')}}`
}

function goType(value: JsonValue): string {
  if (Array.isArray(value)) return '[]interface {}'
  if (isObject(value)) return 'map[string]interface {}'
  return typeof value === 'number'
    ? Number.isInteger(value)
      ? 'int64'
      : 'float64'
    : value === null
      ? '<nil>'
      : `${typeof value === 'boolean' ? 'bool' : typeof value}`
}

const shown = (value: JsonValue): string => `&{${goValue(value)}}`

function scalarProblem(scalar: Atom['scalar'], value: JsonValue): string | undefined {
  if (value === null) return undefined
  if (scalar === 'numeric' && typeof value !== 'number') return `expected numeric (int or float), got ${goType(value)}`
  if (scalar === 'string' && typeof value !== 'string')
    return `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`
  if (scalar === 'boolean' && typeof value !== 'boolean') return `expected boolean, got ${shown(value)}`
  if (scalar === 'untyped' && typeof value === 'object') return `expected any scalar, got ${shown(value)}`
  return undefined
}

function listProblems(list: ListAtom, items: readonly JsonValue[]): string[] {
  const seen = new Set<PathElement>()
  const problems: string[] = []
  for (const [index, item] of items.entries()) {
    const element = list.kind === 'atomic' ? `i:${index}` : listElement(list, item)
    if (element instanceof Error) return [...problems, `: element ${index}: ${element.message}`]
    if (seen.has(element)) problems.push(`: duplicate entries for key ${elementText(element)}`)
    seen.add(element)
    problems.push(...problemsBelow(elementText(element), list.element, item))
  }
  return problems
}

function mapProblems(map: MapAtom, value: JsonObject): string[] {
  const problems: string[] = []
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue
    const type = entryType(map, name)
    if (type === undefined) return [...problems, `.${name}: field not declared in schema`]
    problems.push(...problemsBelow(`.${name}`, type, field))
  }
  return problems
}

const problemsBelow = (prefix: string, type: TypeRef, value: JsonValue): string[] =>
  problemsOf(type, value).map((problem) => prefix + problem)

/** What of a value does not fit its type; each text starts with the path, or with `: `. */
function problemsOf(type: TypeRef, value: JsonValue): string[] {
  const atom = deduceAtom(atomOf(type), value)
  if (value === null) return []
  if (atom.map !== undefined)
    return isObject(value) ? mapProblems(atom.map, value) : [`: expected map, got ${shown(value)}`]
  if (atom.list !== undefined && atom.scalar === undefined)
    return Array.isArray(value) ? listProblems(atom.list, value) : [`: expected list, got ${shown(value)}`]
  const problem = scalarProblem(atom.scalar, value)
  return problem === undefined ? [] : [`: ${problem}`]
}

/** Why a value cannot be applied, in one text as structured-merge-diff gives it; undefined when it can. */
export function typeProblem(type: TypeRef, value: JsonValue): string | undefined {
  const problems = problemsOf(type, value).map((problem) => problem.replace(/^: /, ''))
  return problems.length <= 1 ? problems[0] : ['errors:', ...problems.map((problem) => `  ${problem}`)].join('\n')
}

/** The paths of everything that a value sets (`ToFieldSet`). */
export function toFieldSet(type: TypeRef, value: JsonValue): FieldSet {
  const builder = new FieldSetBuilder()
  collect(type, value, [], builder)
  return builder.build()
}

function collect(type: TypeRef, value: JsonValue, path: readonly PathElement[], into: FieldSetBuilder): void {
  const atom = deduceAtom(atomOf(type), value)
  if (atom.map !== undefined) {
    if (atom.map.atomic) into.insert(path)
    else if (isObject(value)) collectEntries(atom.map, value, path, into)
  } else if (atom.scalar !== undefined) into.insert(path)
  else if (atom.list !== undefined) {
    if (atom.list.kind === 'atomic') into.insert(path)
    else if (Array.isArray(value)) collectItems(atom.list, value, path, into)
  }
}

const isEmptyMap = (value: JsonValue): boolean => isObject(value) && Object.keys(value).length === 0

function collectEntries(map: MapAtom, value: JsonObject, path: readonly PathElement[], into: FieldSetBuilder): void {
  for (const [name, field] of Object.entries(value)) {
    const type = entryType(map, name)
    if (field === undefined || type === undefined) continue
    const here = [...path, fieldElement(name)]
    collect(type, field, here, into)
    if (field === null || isEmptyMap(field) || !isField(map, name)) into.insert(here)
  }
}

function collectItems(list: ListAtom, items: JsonValue[], path: readonly PathElement[], into: FieldSetBuilder): void {
  for (const [element, equal] of itemsByElement(list, items)) {
    const here = [...path, element]
    if (equal.length === 1) collect(list.element, equal[0] as JsonValue, here, into)
    into.insert(here)
  }
}

interface Handlers {
  leaf(): void
  map(atom: MapAtom, left: JsonObject | undefined, right: JsonObject | undefined): void
  list(atom: ListAtom, left: JsonValue[] | undefined, right: JsonValue[] | undefined): void
}

const asMap = (value: Maybe): JsonObject | undefined => (isObject(value) ? value : undefined)
const asList = (value: Maybe): JsonValue[] | undefined => (Array.isArray(value) ? value : undefined)

/** Walks one atom of two values: atomic ones, scalars, and what is empty on both sides are leaves. */
function walkAtom(atom: Atom, left: Maybe, right: Maybe, handlers: Handlers): void {
  if (atom.map !== undefined) {
    const [l, r] = [asMap(left), asMap(right)]
    const empty = Object.keys(l ?? {}).length === 0 && Object.keys(r ?? {}).length === 0
    if (atom.map.atomic || empty) handlers.leaf()
    else handlers.map(atom.map, l, r)
  } else if (atom.scalar !== undefined) handlers.leaf()
  else if (atom.list !== undefined) {
    const [l, r] = [asList(left), asList(right)]
    const empty = (l ?? []).length === 0 && (r ?? []).length === 0
    if (atom.list.kind === 'atomic' || empty) handlers.leaf()
    else handlers.list(atom.list, l, r)
  }
}

/** Walks two values, of which one may be missing; a value that changes its kind is walked as both. */
function walk(type: TypeRef, left: Maybe, right: Maybe, handlers: Handlers): AtomKind {
  const atom = atomOf(type)
  const [l, r] = [deduceAtom(atom, left), deduceAtom(atom, right)]
  if (right === undefined) walkAtom(l, left, right, handlers)
  else {
    if (left !== undefined && kindOf(l) !== kindOf(r)) walkAtom(l, left, right, handlers)
    walkAtom(r, left, right, handlers)
  }
  return kindOf(right === undefined ? l : r)
}

const namesOf = (...maps: (JsonObject | undefined)[]): string[] => [
  ...new Set(maps.flatMap((map) => Object.keys(map ?? {}).filter((name) => map?.[name] !== undefined))),
]
const entry = (map: JsonObject | undefined, name: string): Maybe =>
  map !== undefined && Object.hasOwn(map, name) ? map[name] : undefined

/** Merges what is applied (`right`) into what is there (`left`). Both fit the type. */
export function mergeTyped(type: TypeRef, left: Maybe, right: Maybe): Maybe {
  let merged: Maybe
  walk(type, left, right, {
    leaf: () => {
      merged = right === undefined ? left : right
    },
    map: (map, l, r) => {
      merged = mergeEntries(map, l, r)
    },
    list: (list, l, r) => {
      merged = mergeItems(list, l ?? [], r ?? [])
    },
  })
  return merged
}

function mergeEntries(map: MapAtom, left: JsonObject | undefined, right: JsonObject | undefined): Maybe {
  const merged: JsonObject = {}
  for (const name of namesOf(left, right)) {
    const type = entryType(map, name)
    const value = type === undefined ? entry(left, name) : mergeTyped(type, entry(left, name), entry(right, name))
    if (value !== undefined) setField(merged, name, value)
  }
  return Object.keys(merged).length === 0 ? undefined : merged
}

interface Side {
  element: PathElement
  item: JsonValue
}

const sideOf = (list: ListAtom, items: readonly JsonValue[]): Side[] =>
  items.flatMap((item) => {
    const element = listElement(list, item)
    return element instanceof Error ? [] : [{ element, item }]
  })

/**
 * Items of both sides keep the order of what is applied; items that only the left side has stay where they are between
 * them. Of equal items on the left, which older writers could make, one is merged into and the others go.
 */
function mergeItems(list: ListAtom, left: readonly JsonValue[], right: readonly JsonValue[]): Maybe {
  const [l, r] = [sideOf(list, left), sideOf(list, right)]
  const [lefts, rights] = [itemsByElement(list, left), itemsByElement(list, right)]
  const shared = r.map(({ element }) => element).filter((element) => lefts.has(element))
  const merged: JsonValue[] = []
  const done = new Set<PathElement>()
  const take = (a: Maybe, b: Maybe) => {
    const value = mergeTyped(list.element, a, b)
    if (value !== undefined) merged.push(value)
  }
  const takeRight = (element: PathElement) => {
    const equal = lefts.get(element) ?? []
    done.add(element)
    take(equal.length > 1 ? null : equal[0], rights.get(element)?.[0])
    if (shared[0] === element) shared.shift()
  }
  let [i, j] = [0, 0]
  while (i < l.length || j < r.length) {
    const [a, b] = [l[i], r[j]]
    if (a !== undefined && b !== undefined) {
      if (a.element === b.element) {
        takeRight(b.element)
        i++
        j++
        continue
      }
      if (rights.has(a.element) && shared[0] !== undefined && shared[0] !== a.element) {
        i++
        continue
      }
    }
    if (a !== undefined && !rights.has(a.element)) {
      take(a.item, undefined)
      i++
      continue
    }
    if (a !== undefined && done.has(a.element)) i++
    if (b !== undefined) {
      takeRight(b.element)
      j++
    }
  }
  return merged.length === 0 ? undefined : merged
}

/** What differs between two values: paths that only the first has, only the second has, and that changed. */
export interface Comparison {
  removed: FieldSet
  modified: FieldSet
  added: FieldSet
}

interface ComparisonBuilder {
  removed: FieldSetBuilder
  modified: FieldSetBuilder
  added: FieldSetBuilder
}

export function compareTyped(type: TypeRef, left: Maybe, right: Maybe): Comparison {
  const into = { removed: new FieldSetBuilder(), modified: new FieldSetBuilder(), added: new FieldSetBuilder() }
  if (left !== undefined || right !== undefined) compare(type, left, right, [], into)
  return { removed: into.removed.build(), modified: into.modified.build(), added: into.added.build() }
}

function compare(
  type: TypeRef,
  left: Maybe,
  right: Maybe,
  path: readonly PathElement[],
  into: ComparisonBuilder,
): void {
  const oneSided = left === undefined ? into.added : right === undefined ? into.removed : undefined
  walk(type, left, right, {
    leaf: () => {
      if (oneSided === undefined && !sameJson(left, right)) into.modified.insert(path)
    },
    map: (map, l, r) => {
      for (const name of namesOf(l, r)) {
        const below = entryType(map, name)
        if (below !== undefined) compare(below, entry(l, name), entry(r, name), [...path, fieldElement(name)], into)
      }
    },
    list: (list, l, r) => compareItems(list, l ?? [], r ?? [], path, into),
  })
  oneSided?.insert(path)
}

function compareItems(
  list: ListAtom,
  left: readonly JsonValue[],
  right: readonly JsonValue[],
  path: readonly PathElement[],
  into: ComparisonBuilder,
): void {
  const [lefts, rights] = [itemsByElement(list, left), itemsByElement(list, right)]
  for (const element of new Set([...lefts.keys(), ...rights.keys()])) {
    const [l, r] = [lefts.get(element) ?? [], rights.get(element) ?? []]
    const here = [...path, element]
    if (l.length <= 1 && r.length <= 1) compare(list.element, l[0], r[0], here, into)
    else if (l.length >= 2 && r.length >= 2) {
      if (!sameJson([...l], [...r])) into.modified.insert(here)
    } else if (l.length >= 2) {
      if (r.length > 0) compare(list.element, undefined, r[0], here, into)
      into.removed.insert(here)
    } else {
      if (l.length > 0) compare(list.element, l[0], undefined, here, into)
      into.added.insert(here)
    }
  }
}

/** The value without the paths of a set; undefined when nothing is left. */
export function removeItems(type: TypeRef, value: JsonValue, gone: FieldSet): Maybe {
  const atom = deduceAtom(atomOf(type), value)
  if (atom.map !== undefined)
    return isObject(value) && !atom.map.atomic ? removeEntries(atom.map, value, gone) : undefined
  if (atom.scalar !== undefined) return value
  return Array.isArray(value) && atom.list !== undefined && atom.list.kind !== 'atomic'
    ? removeListItems(atom.list, value, gone)
    : undefined
}

const removeBelow = (type: TypeRef | undefined, value: JsonValue, gone: FieldSet): Maybe =>
  type === undefined || gone.isEmpty ? value : (removeItems(type, value, gone) ?? null)

function removeEntries(map: MapAtom, value: JsonObject, gone: FieldSet): Maybe {
  const kept: JsonObject = {}
  for (const [name, field] of Object.entries(value)) {
    const element = fieldElement(name)
    if (field === undefined || gone.members.has(element)) continue
    setField(kept, name, removeBelow(entryType(map, name), field, gone.below(element)) as JsonValue)
  }
  return Object.keys(kept).length === 0 ? undefined : kept
}

function removeListItems(list: ListAtom, items: JsonValue[], gone: FieldSet): Maybe {
  const kept: JsonValue[] = []
  for (const item of items) {
    const element = listElement(list, item)
    if (element instanceof Error) kept.push(item)
    else if (!gone.members.has(element)) kept.push(removeBelow(list.element, item, gone.below(element)) as JsonValue)
  }
  return kept.length === 0 ? undefined : kept
}

/** The set with the declared fields on the way to its paths as members (`EnsureNamedFieldsAreMembers`). */
export function withNamedFields(type: TypeRef | undefined, set: FieldSet): FieldSet {
  const atom: Atom = type === undefined ? {} : atomOf(type)
  const map = atom.map
  const named = [...set.children.keys()].filter(
    (element) => map !== undefined && element.startsWith('f:') && isField(map, element.slice(2)),
  )
  const typeBelow = (element: PathElement): TypeRef | undefined => {
    if (!element.startsWith('f:')) return atom.list?.element
    return map === undefined ? undefined : entryType(map, element.slice(2))
  }
  return new FieldSet(
    [...set.members, ...named],
    [...set.children].map(([element, below]) => [element, withNamedFields(typeBelow(element), below)]),
  )
}
