import { clone, fieldOf, isObject, type JsonObject, type JsonValue, sameJson, setField } from '../schema/json.ts'
import { badRequest, requestEntityTooLarge, unprocessable } from '../status.ts'

const MOST_OPERATIONS = 10_000

// The server takes negative indices, counted from the end, and "test" of a missing field against null; the rfc6902
// library takes neither, and takes a text for an index. So the operations are here.
class Misfit extends Error {}

const misfit = (problem: string): never => {
  throw new Misfit(problem)
}

function tokensOf(pointer: unknown): string[] {
  if (typeof pointer !== 'string') return misfit('operation missing path field')
  if (pointer === '') return []
  if (!pointer.startsWith('/')) return misfit(`no JSON pointer: ${pointer}`)
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The index that a token names in a list of `length` items, of which `reach` are addressable. */
function indexOf(token: string, reach: number): number {
  if (!/^[+-]?\d+$/.test(token)) return misfit(`no index: ${token}`)
  const index = Number(token)
  if (index >= reach || index < -reach) return misfit(`no such index: ${token}`)
  return index < 0 ? index + reach : index
}

function childOf(parent: JsonValue, token: string): JsonValue | undefined {
  if (Array.isArray(parent)) return parent[indexOf(token, parent.length)]
  return isObject(parent) ? fieldOf(parent, token) : misfit(`nothing below a value: ${token}`)
}

function get(document: JsonValue, tokens: readonly string[]): JsonValue | undefined {
  let here: JsonValue | undefined = document
  for (const token of tokens) here = childOf(here ?? misfit(`missing before ${token}`), token)
  return here
}

/** The list or object that a pointer's last token is looked up in, and that token. */
function place(document: JsonValue, tokens: readonly string[]): { parent: JsonObject | JsonValue[]; token: string } {
  const parent = get(document, tokens.slice(0, -1))
  const token = tokens.at(-1)
  if (token === undefined || !(isObject(parent) || Array.isArray(parent))) return misfit('missing path')
  return { parent, token }
}

/** Every operation gives the new document; only the whole-document path makes it another object. */
function add(document: JsonValue, tokens: readonly string[], value: JsonValue): JsonValue {
  if (tokens.length === 0) return value
  const { parent, token } = place(document, tokens)
  if (!Array.isArray(parent)) setField(parent, token, value)
  else if (token === '-') parent.push(value)
  else parent.splice(indexOf(token, parent.length + 1), 0, value)
  return document
}

function remove(document: JsonValue, tokens: readonly string[]): JsonValue {
  const { parent, token } = place(document, tokens)
  if (Array.isArray(parent)) parent.splice(indexOf(token, parent.length), 1)
  else if (!Object.hasOwn(parent, token)) misfit(`nonexistent key: ${token}`)
  else delete parent[token]
  return document
}

function replace(document: JsonValue, tokens: readonly string[], value: JsonValue): JsonValue {
  if (tokens.length === 0) return value
  const { parent, token } = place(document, tokens)
  if (Array.isArray(parent)) parent[indexOf(token, parent.length)] = value
  // The server's library does not mind a field that is not there yet.
  else setField(parent, token, value)
  return document
}

function existing(document: JsonValue, tokens: readonly string[]): JsonValue {
  const value = get(document, tokens)
  return value === undefined ? misfit('missing value') : value
}

function test(document: JsonValue, tokens: readonly string[], wanted: JsonValue): JsonValue {
  const present =
    tokens.length === 0 ? document : (childOf(place(document, tokens).parent, tokens.at(-1) as string) ?? null)
  return sameJson(present, wanted) ? document : misfit('test failed')
}

function move(document: JsonValue, from: readonly string[], to: readonly string[]): JsonValue {
  const value = existing(document, from)
  return add(remove(document, from), to, value)
}

function applyOperation(document: JsonValue, operation: JsonObject): JsonValue {
  const path = tokensOf(fieldOf(operation, 'path'))
  const value = (): JsonValue => {
    const given = fieldOf(operation, 'value')
    return given === undefined ? misfit('operation missing value field') : clone(given)
  }
  switch (operation.op) {
    case 'add':
      return add(document, path, value())
    case 'remove':
      return remove(document, path)
    case 'replace':
      return replace(document, path, value())
    case 'move':
      return move(document, tokensOf(operation.from), path)
    case 'copy':
      return add(document, path, clone(existing(document, tokensOf(operation.from))))
    case 'test':
      return test(document, path, fieldOf(operation, 'value') ?? null)
    default:
      return misfit(`unexpected kind: ${String(operation.op)}`)
  }
}

function operationsOf(patch: JsonValue): JsonObject[] {
  const kind = patch === null ? 'null' : isObject(patch) ? 'object' : typeof patch
  if (!Array.isArray(patch)) throw badRequest(`json: cannot unmarshal ${kind} into Go value of type jsonpatch.Patch`)
  if (patch.length > MOST_OPERATIONS)
    throw requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${MOST_OPERATIONS}, got ${patch.length}`,
    )
  if (!patch.every(isObject)) throw badRequest('json: cannot unmarshal value into Go value of type jsonpatch.Operation')
  return patch
}

/**
 * Applies a JSON patch (RFC 6902) to an object, which stays as it is. All operations apply, or none.
 * @throws {ApiStatusError} 400 for what is no patch, 413 for more than 10,000 operations, 422 for one that does not fit
 *   the object (a failed test, a missing path). The server's 422 does not say which; nor does this one.
 */
export function applyJsonPatch(target: JsonObject, patch: JsonValue): JsonObject {
  const operations = operationsOf(patch)
  try {
    const patched = operations.reduce<JsonValue>(applyOperation, clone(target))
    return isObject(patched) ? patched : misfit('no object is left')
  } catch (error) {
    throw error instanceof Misfit ? unprocessable(error) : error
  }
}
