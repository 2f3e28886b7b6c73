import { Composer, type Document, isAlias, isPair, isScalar, LineCounter, type Node, Parser, visit } from 'yaml'
import { offsetOf, rangeOf } from './field-offset.ts'
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
  /** Number within a list kind, from 1. */
  item?: number
  value: Record<string, unknown>
  /** Where a field stands, or the nearest thing around it that is there. */
  place: (path: string) => Place
}

/** Something in the input that is no object. */
export interface SourceError extends Place {
  file: string
  document: number
  item?: number
  problem: string
}

/** More aliases than this resolve to a document that was made to exhaust memory. */
const MAX_ALIASES = 100

/** Splits YAML or JSON text into its documents, and list kinds into their items. Empty documents are passed over. */
export function readDocuments(file: string, text: string): { objects: SourceObject[]; errors: SourceError[] } {
  const objects: SourceObject[] = []
  const errors: SourceError[] = []
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
  return { objects, errors }
}

type Origin = { file: string; document: number }

function readDocument(
  document: Document.Parsed,
  lines: LineCounter,
  origin: Origin,
  objects: SourceObject[],
  errors: SourceError[],
): void {
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const problems = syntaxProblems(document)
  if (problems.length === 0) problems.push(...shapeProblems(document))
  if (problems.length > 0) {
    for (const { problem, at } of problems) errors.push({ ...origin, ...placeOf(at), problem })
    return
  }
  const place = (path: string) => placeOf(offsetOf(document.contents, path, document))
  const value = toValue(document)
  if (!value.ok) errors.push({ ...origin, ...place(''), problem: value.problem })
  else if (value.value !== null) {
    for (const { object, item, path } of unpack(value.value)) {
      const at = { ...origin, ...(item !== undefined && { item }) }
      if (!isObject(object)) errors.push({ ...at, ...place(path), problem: 'is no object with a kind' })
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
    return { ok: true, value: document.toJS({ maxAliasCount: MAX_ALIASES }) }
  } catch (error) {
    // The yaml library throws a ReferenceError for aliases that are too many, circular or unresolved.
    if (!(error instanceof ReferenceError)) throw error
    return { ok: false, problem: error.message }
  }
}

/** Keys that come twice, and the first of all else: the reader has lost its way after it, and what it says is of no help. */
function syntaxProblems(document: Document.Parsed): { problem: string; at: number }[] {
  const all = [...document.errors, ...document.warnings]
  const first = all.find(({ code }) => code !== 'DUPLICATE_KEY')
  return all
    .filter((error) => error === first || error.code === 'DUPLICATE_KEY')
    .map(({ message, pos }) => ({ problem: message, at: pos[0] }))
}

/** What is YAML, but no object of Kubernetes. */
function shapeProblems(document: Document.Parsed): { problem: string; at: number }[] {
  const found: { problem: string; at: number }[] = []
  visit(document, (_, node, ancestors) => {
    const at = isPair(node) ? rangeOf(node.key) : rangeOf(node)
    if (isPair(node) && (!isScalar(node.key) || node.key.value === null))
      found.push({ problem: 'a key must be text', at })
    if (isAlias(node) && ancestors.includes(node.resolve(document) as Node)) {
      found.push({ problem: 'an alias stands for something that it is itself a part of', at })
    }
  })
  return found
}

/** `List`, `VarmorPolicyList` and the like become their items. */
function unpack(value: unknown): { object: unknown; item?: number; path: string }[] {
  if (!isObject(value) || !String(value['kind']).endsWith('List') || !Array.isArray(value['items'])) {
    return [{ object: value, path: '' }]
  }
  return value['items'].map((object, i) => ({ object, item: i + 1, path: `items[${i}]` }))
}
