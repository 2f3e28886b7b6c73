import { type ApiStatusError, badRequest } from '../status.ts'

/**
 * The error 400 of `fieldValidation=Strict`. Kind and version name the decoded object; problems are texts such as
 * `unknown field "x"`.
 */
export function strictDecodingError(kind: string, version: string, problems: readonly string[]): ApiStatusError {
  return badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: strict decoding error: ${problems.join(', ')}`,
  )
}
