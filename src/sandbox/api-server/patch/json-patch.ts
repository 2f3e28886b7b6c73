import { applyPatch, type Operation } from 'rfc6902'
import { clone, isObject, type JsonObject, type JsonValue } from '../schema/json.ts'
import { badRequest, requestEntityTooLarge, unprocessable } from '../status.ts'

const MAX_OPERATIONS = 10_000

function operationsOf(patch: JsonValue): Operation[] {
  if (!Array.isArray(patch) || !patch.every(isObject))
    throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch')
  if (patch.length > MAX_OPERATIONS)
    throw requestEntityTooLarge(
      `The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    )
  return patch as unknown as Operation[]
}

/** Applies operations. Returns the reason if a patch does not fit the document; the document is then partly changed. */
function apply(document: JsonObject, operations: Operation[]): Error | undefined {
  try {
    return applyPatch(document, operations).find((error) => error !== null) ?? undefined
  } catch (error) {
    // The library throws a TypeError when it assigns below a text.
    if (error instanceof TypeError) return error
    throw error
  }
}

/**
 * Applies a JSON patch (RFC 6902) to a copy of an object: all operations or none.
 * @throws {ApiStatusError} 400 for an invalid patch, 413 for more than 10,000 operations, 422 for a patch that does not
 * fit the object (a failed test, a missing path). As in the real server, the 422 does not name the operation
 */
export function applyJsonPatch(target: JsonObject, patch: JsonValue): JsonObject {
  const patched = clone(target)
  const failure = apply(patched, operationsOf(clone(patch)))
  if (failure !== undefined) throw unprocessable(failure)
  return patched
}
