import { goValue } from '../go-text.ts'
import { fieldOf, isObject, type JsonObject, type JsonValue, sameJson, setField } from '../schema/json.ts'
import {
  type Atom,
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

const shown = (value: JsonValue): string => `&{${goValue(value)}}`

function goType(value: JsonValue): string {
  if (typeof value === 'object') return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

function scalarProblems(scalar: Atom['scalar'], value: JsonValue): string[] {
  if (scalar === 'numeric' && typeof value !== 'number')
    return [`: expected numeric (int or float), got ${goType(value)}`]
  if (scalar === 'string' && typeof value !== 'string')
    return [`: expected string, got &value.valueUnstructured{Value:${JSON.stringify(value)}}`]
  if (scalar === 'boolean' && typeof value !== 'boolean') return [`: expected boolean, got ${shown(value)}`]
  return scalar === 'untyped' && typeof value === 'object' ? [`: expected any scalar, got ${shown(value)}`] : []
}

function listProblems(list: ListAtom, items: readonly JsonValue[]): string[] {
  const seen = new Set<PathElement>()
  return items.flatMap((item, index) => {
    const element = list.kind === 'atomic' ? `i:${index}` : listElement(list, item)
    if (element instanceof Error) return [`: element ${index}: ${element.message}`]
    const repeated = seen.has(element) ? [`: duplicate entries for key ${elementText(element)}`] : []
    seen.add(element)
    return [...repeated, ...problemsOf(list.element, item).map((problem) => elementText(element) + problem)]
  })
}

const mapProblems = (map: MapAtom, value: JsonObject): string[] =>
  Object.entries(value).flatMap(([name, field]) => {
    const type = entryType(map, name)
    if (type === undefined) return [`.${name}: field not declared in schema`]
    return problemsOf(type, field ?? null).map((problem) => `.${name}${problem}`)
  })

/** Descriptions of the parts of a value that do not fit its type. Each text starts with the path, or with `: `. */
function problemsOf(type: TypeRef, value: JsonValue): string[] {
  if (value === null) return []
  const { map, list, scalar } = deduceAtom(atomOf(type), value)
  if (map !== undefined) return isObject(value) ? mapProblems(map, value) : [`: expected map, got ${shown(value)}`]
  if (list !== undefined && scalar === undefined)
    return Array.isArray(value) ? listProblems(list, value) : [`: expected list, got ${shown(value)}`]
  return scalarProblems(scalar, value)
}

/** Why a value cannot be applied, in one text; undefined if it can be applied. */
export function typeProblem(type: TypeRef, value: JsonValue): string | undefined {
  const problems = problemsOf(type, value).map((problem) => problem.replace(/^: /, ''))
  return problems.length <= 1 ? problems[0] : ['errors:', ...problems.map((problem) => `  ${problem}`)].join('\n')
}

/** The paths of all fields and items that a value sets (`ToFieldSet`). */
export function toFieldSet(type: TypeRef, value: JsonValue): FieldSet {
  const builder = new FieldSetBuilder()
  collect(type, value, [], builder)
  return builder.build()
}

function collect(type: TypeRef, value: JsonValue, path: readonly PathElement[], into: FieldSetBuilder): void {
  const { map, list, scalar } = deduceAtom(atomOf(type), value)
  if (map !== undefined) {
    if (map.atomic) into.insert(path)
    else if (isObject(value)) collectEntries(map, value, path, into)
  } else if (scalar !== undefined || list?.kind === 'atomic') into.insert(path)
  else if (list !== undefined && Array.isArray(value))
    for (const [element, item] of itemsByElement(list, value)) {
      collect(list.element, item, [...path, element], into)
      into.insert([...path, element])
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

interface Handlers {
  leaf(): void
  map(atom: MapAtom, left: JsonObject, right: JsonObject): void
  list(atom: ListAtom, left: JsonValue[], right: JsonValue[]): void
}

const isDeep = ({ map, scalar, list }: Atom): boolean =>
  map !== undefined ? !map.atomic : scalar === undefined && list !== undefined && list.kind !== 'atomic'

/** Walks one atom of two values. Atomic values, scalars and two empty values are leaves. */
function walkAtom(atom: Atom, left: Maybe, right: Maybe, handlers: Handlers): void {
  const [leftMap, rightMap] = [isObject(left) ? left : {}, isObject(right) ? right : {}]
  const [leftList, rightList] = [Array.isArray(left) ? left : [], Array.isArray(right) ? right : []]
  const size = Object.keys(atom.map ? { ...leftMap, ...rightMap } : [...leftList, ...rightList]).length
  if (!isDeep(atom) || size === 0) handlers.leaf()
  else if (atom.map) handlers.map(atom.map, leftMap, rightMap)
  else if (atom.list) handlers.list(atom.list, leftList, rightList)
}

/** Walks two values. Either value may be missing. If a value changes its kind, both kinds are walked. */
function walk(type: TypeRef, left: Maybe, right: Maybe, handlers: Handlers): void {
  const atom = atomOf(type)
  const [l, r] = [deduceAtom(atom, left), deduceAtom(atom, right)]
  if (right === undefined || (left !== undefined && kindOf(l) !== kindOf(r))) walkAtom(l, left, right, handlers)
  if (right !== undefined) walkAtom(r, left, right, handlers)
}

const namesOf = (...maps: JsonObject[]): string[] => [
  ...new Set(maps.flatMap((map) => Object.keys(map).filter((name) => map[name] !== undefined))),
]

/** Merges the applied value (`right`) into the existing value (`left`). Both must fit the type. */
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
      merged = mergeItems(list, l, r)
    },
  })
  return merged
}

function mergeEntries(map: MapAtom, left: JsonObject, right: JsonObject): Maybe {
  const merged: JsonObject = {}
  for (const name of namesOf(left, right)) {
    const type = entryType(map, name)
    const [l, r] = [fieldOf(left, name), fieldOf(right, name)]
    const value = type === undefined ? l : mergeTyped(type, l, r)
    if (value !== undefined) setField(merged, name, value)
  }
  return Object.keys(merged).length === 0 ? undefined : merged
}

/**
 * The merged items, in the order of the applied list. Items that only the left list has keep their relative positions.
 */
function mergeItems(list: ListAtom, left: readonly JsonValue[], right: readonly JsonValue[]): Maybe {
  const [lefts, rights] = [itemsByElement(list, left), itemsByElement(list, right)]
  const merged: JsonValue[] = []
  const take = (element: PathElement): void => {
    const value = mergeTyped(list.element, lefts.get(element), rights.get(element))
    if (value !== undefined) merged.push(value)
  }
  const applied = [...rights.keys()]
  /** Takes items of the applied list up to an item that both lists have. */
  const takeApplied = (): void => {
    for (let next = applied.shift(); next !== undefined; next = applied.shift()) {
      take(next)
      if (lefts.has(next)) return
    }
  }
  for (const element of lefts.keys()) {
    if (rights.has(element)) takeApplied()
    else take(element)
  }
  applied.forEach(take)
  return merged.length === 0 ? undefined : merged
}

/**
 * The differences between two values: paths that only the first value has, paths that only the second has, and paths
 * with different values.
 */
export interface Comparison {
  removed: FieldSet
  modified: FieldSet
  added: FieldSet
}

type ComparisonBuilder = Record<keyof Comparison, FieldSetBuilder>

export function compareTyped(type: TypeRef, left: Maybe, right: Maybe): Comparison {
  const into = { removed: new FieldSetBuilder(), modified: new FieldSetBuilder(), added: new FieldSetBuilder() }
  compare(type, left, right, [], into)
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
        const here = [...path, fieldElement(name)]
        if (below !== undefined) compare(below, fieldOf(l, name), fieldOf(r, name), here, into)
      }
    },
    list: (list, l, r) => {
      const [lefts, rights] = [itemsByElement(list, l), itemsByElement(list, r)]
      for (const element of new Set([...lefts.keys(), ...rights.keys()]))
        compare(list.element, lefts.get(element), rights.get(element), [...path, element], into)
    },
  })
  oneSided?.insert(path)
}

/** The value without the paths of a set; undefined if nothing remains. */
export function removeItems(type: TypeRef, value: JsonValue, gone: FieldSet): Maybe {
  const { map, list, scalar } = deduceAtom(atomOf(type), value)
  if (map !== undefined) return isObject(value) && !map.atomic ? removeEntries(map, value, gone) : undefined
  if (scalar !== undefined) return value
  return Array.isArray(value) && list !== undefined && list.kind !== 'atomic'
    ? removeListItems(list, value, gone)
    : undefined
}

const removeBelow = (type: TypeRef | undefined, value: JsonValue, gone: FieldSet): JsonValue =>
  type === undefined || gone.isEmpty ? value : (removeItems(type, value, gone) ?? null)

function removeEntries(map: MapAtom, value: JsonObject, gone: FieldSet): Maybe {
  const kept: JsonObject = {}
  for (const [name, field] of Object.entries(value)) {
    const element = fieldElement(name)
    if (field === undefined || gone.members.has(element)) continue
    setField(kept, name, removeBelow(entryType(map, name), field, gone.below(element)))
  }
  return Object.keys(kept).length === 0 ? undefined : kept
}

function removeListItems(list: ListAtom, items: JsonValue[], gone: FieldSet): Maybe {
  const kept = items.flatMap((item) => {
    const element = listElement(list, item)
    if (element instanceof Error) return [item]
    return gone.members.has(element) ? [] : [removeBelow(list.element, item, gone.below(element))]
  })
  return kept.length === 0 ? undefined : kept
}

/** Returns the set. Declared fields on the set's paths are added as members (`EnsureNamedFieldsAreMembers`). */
export function withNamedFields(type: TypeRef | undefined, set: FieldSet): FieldSet {
  const { map, list }: Atom = type === undefined ? {} : atomOf(type)
  const named = [...set.children.keys()].filter(
    (element) => map !== undefined && element.startsWith('f:') && isField(map, element.slice(2)),
  )
  const typeBelow = (element: PathElement): TypeRef | undefined => {
    if (!element.startsWith('f:')) return list?.element
    return map === undefined ? undefined : entryType(map, element.slice(2))
  }
  return new FieldSet(
    [...set.members, ...named],
    [...set.children].map(([element, below]) => [element, withNamedFields(typeBelow(element), below)]),
  )
}
