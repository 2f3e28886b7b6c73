import { Composer, type Document, LineCounter, Parser } from 'yaml'
import { isBug } from '../base/bug.ts'
import { type Mistake, shapeOf } from './document-shape.ts'
import { offsetOf } from './field-offset.ts'
import { likeKubectl } from './yaml-like-kubectl.ts'
import { findUnfit, tooLarge } from './yaml-limits.ts'

export interface Place {
  line: number
  column: number
}

/** One object of the input. */
export interface SourceObject {
  file: string
  /** Number of the YAML document within the file, from 1. */
  document: number
  /** Number of the item in an object of a list kind, from 1. */
  item?: number
  value: Record<string, unknown>
  /** Position of a field. If the field does not exist, position of the nearest field that contains it. */
  place: (path: string) => Place
}

/** A part of the input that cannot be read as an object. */
export interface SourceError extends Place {
  file: string
  document: number
  item?: number
  problem: string
}

/** Maximum errors of a file that are reported. Further errors are only counted. */
const MAX_ERRORS = 100

/** Splits YAML or JSON text into documents, and objects of list kinds into their items. Skips empty documents. */
export function readDocuments(file: string, text: string): { objects: SourceObject[]; errors: SourceError[] } {
  const objects: SourceObject[] = []
  const errors = new SourceErrors()
  const lines = new LineCounter()
  const large = tooLarge(text)
  if (large !== undefined) return { objects, errors: [{ file, document: 1, line: 1, column: 1, problem: large }] }
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  const unfit = findUnfit(tokens)
  if (unfit !== undefined) {
    const { line, col: column } = lines.linePos(unfit.at)
    return { objects, errors: [{ file, document: 1, line, column, problem: unfit.problem }] }
  }
  const documents = [...new Composer(likeKubectl).compose(tokens)]
  for (const [i, document] of documents.entries()) {
    readDocument(document, lines, { file, document: i + 1 }, objects, errors)
  }
  return { objects, errors: errors.all }
}

/** Keeps the first errors, and counts further errors, because it takes time to find the position of an error. */
class SourceErrors {
  readonly #errors: SourceError[] = []
  #more: { first: SourceError; count: number } | undefined

  add(error: () => SourceError): void {
    if (this.#errors.length < MAX_ERRORS) this.#errors.push(error())
    else if (this.#more === undefined) this.#more = { first: error(), count: 1 }
    else this.#more.count++
  }

  get all(): SourceError[] {
    if (this.#more === undefined) return this.#errors
    const { first, count } = this.#more
    const { file, document, line, column } = first
    const rest = { file, document, line, column, problem: `${count} more mistakes` }
    return [...this.#errors, count === 1 ? first : rest]
  }
}

type Origin = { file: string; document: number }

function readDocument(
  document: Document.Parsed,
  lines: LineCounter,
  origin: Origin,
  objects: SourceObject[],
  errors: SourceErrors,
): void {
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const broken = syntaxMistake(document)
  const { mistakes, aliased } = broken === undefined ? shapeOf(document) : { mistakes: [broken], aliased: new Map() }
  if (mistakes.length > 0) {
    for (const { problem, at } of mistakes) errors.add(() => ({ ...origin, ...placeOf(at), problem }))
    return
  }
  const place = (path: string) => placeOf(offsetOf(document.contents, path, aliased))
  const value = toValue(document)
  if (!value.ok) errors.add(() => ({ ...origin, ...place(''), problem: value.problem }))
  else if (value.value !== null) {
    for (const { object, item, path } of unpack(value.value)) {
      const at = { ...origin, ...(item !== undefined && { item }) }
      if (!isObject(object)) errors.add(() => ({ ...at, ...place(path), problem: 'is not an object with a kind' }))
      else objects.push({ ...at, value: object, place: (field) => place(joinPath(path, field)) })
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function joinPath(path: string, field: string): string {
  return path === '' || field === '' ? path + field : `${path}.${field}`
}

function toValue(document: Document.Parsed): { ok: true; value: unknown } | { ok: false; problem: string } {
  try {
    // `shapeOf` has checked the limits of aliases already, so the library need not count aliases.
    return { ok: true, value: document.toJS({ maxAliasCount: -1 }) }
  } catch (error) {
    // The yaml library throws an Error or a ReferenceError if it cannot compute a value.
    if (isBug(error) && !(error instanceof ReferenceError)) throw error
    return { ok: false, problem: (error as Error).message }
  }
}

/** The first syntax error. Later messages of the parser are usually consequences of the first error. */
function syntaxMistake({ errors, warnings }: Document.Parsed): Mistake | undefined {
  const first = errors[0] ?? warnings[0]
  return first && { problem: first.message, at: first.pos[0] }
}

/** The items of `List`, `VarmorPolicyList` and similar kinds, or the object itself. */
function unpack(value: unknown): { object: unknown; item?: number; path: string }[] {
  const { kind, items } = isObject(value) ? value : {}
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [{ object: value, path: '' }]
  return items.map((object, i) => ({ object, item: i + 1, path: `items[${i}]` }))
}
