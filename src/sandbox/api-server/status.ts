import { type FieldIssue, issueBody, issuesText } from './field-issue.ts'
import type { JsonObject } from './schema/json.ts'

/** One cause of a failure: `StatusCause` of meta/v1. */
export interface StatusCause {
  reason?: string
  message?: string
  field?: string
}

export interface StatusDetails {
  name?: string
  group?: string
  /** The resource (`pods`) for most reasons; the kind (`Pod`) for Invalid. */
  kind?: string
  uid?: string
  causes?: StatusCause[]
  retryAfterSeconds?: number
}

/** The server's answer instead of the requested object: `Status` of meta/v1. */
export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: JsonObject
  status: 'Success' | 'Failure'
  message?: string
  reason?: string
  details?: StatusDetails
  /** The HTTP status. */
  code: number
}

export interface GroupResource {
  /** Empty for the core group. */
  group: string
  /** The plural name: `pods`. */
  resource: string
}

/** A refusal of the API server: serve `status` with the HTTP code `status.code`. */
export class ApiStatusError extends Error {
  override readonly name = 'ApiStatusError'
  readonly status: Status
  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? '', options)
    this.status = status
  }
}

const quoted = (name: string): string => JSON.stringify(name)
const withGroup = (name: string, group: string): string => (group === '' ? name : `${name}.${group}`)
const resourceText = ({ resource, group }: GroupResource): string => withGroup(resource, group)

/** Details of a failure. Empty fields are left out. */
const detailsOf = (group: string, kind: string, name: string): StatusDetails => ({
  ...(name ? { name } : {}),
  ...(group ? { group } : {}),
  ...(kind ? { kind } : {}),
})

function failure(code: number, reason: string, message: string, details?: StatusDetails, cause?: Error) {
  const common = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message } as const
  const more = { ...(reason === '' ? {} : { reason }), ...(details === undefined ? {} : { details }) }
  return new ApiStatusError({ ...common, ...more, code }, cause && { cause })
}

/** A refusal that names the resource and the object. */
const about = (code: number, reason: string, { group, resource }: GroupResource, name: string, message: string) =>
  failure(code, reason, message, detailsOf(group, resource, name))

export const notFound = (resource: GroupResource, name: string) =>
  about(404, 'NotFound', resource, name, `${resourceText(resource)} ${quoted(name)} not found`)

export const alreadyExists = (resource: GroupResource, name: string) =>
  about(409, 'AlreadyExists', resource, name, `${resourceText(resource)} ${quoted(name)} already exists`)

/** An error with the text `Operation cannot be fulfilled on pods "x": <problem>`. */
export const conflict = (resource: GroupResource, name: string, problem: string) => {
  const what = `${resourceText(resource)} ${quoted(name)}`
  return about(409, 'Conflict', resource, name, `Operation cannot be fulfilled on ${what}: ${problem}`)
}

/** The text for `conflict` if the resourceVersion of an update is outdated. */
export const STALE_OBJECT =
  'the object has been modified; please apply your changes to the latest version and try again'

/** The error 409 of server-side apply, with a cause for each field that another manager owns. */
export const applyConflict = (causes: StatusCause[], message: string) => failure(409, 'Conflict', message, { causes })

/** An error with the text `Pod "x" is invalid: <issues>`. The group follows the kind (`Deployment.apps`). */
export function invalid(
  { kind, group }: { kind: string; group: string },
  name: string,
  issues: readonly FieldIssue[],
): ApiStatusError {
  const causes = issues.map((issue) => ({ reason: issue.type, message: issueBody(issue), field: issue.field }))
  const message = `${withGroup(kind, group)} ${quoted(name)} is invalid: ${issuesText(issues)}`
  return failure(422, 'Invalid', message, { ...detailsOf(group, kind, name), causes })
}

/**
 * The error 422 for a patch that does not fit the object. The server hides the reason; here, it is the cause of the
 * error.
 */
export const unprocessable = (cause: Error) =>
  failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {}, cause)

export const badRequest = (message: string) => failure(400, 'BadRequest', message)

/** The error 401 for missing or invalid credentials. */
export const unauthorized = () => failure(401, 'Unauthorized', 'Unauthorized')

/** An error with the text `pods "x" is forbidden: <problem>`. */
export const forbidden = (resource: GroupResource, name: string, problem: string) => {
  const object = name === '' ? '' : ` ${quoted(name)}`
  return about(403, 'Forbidden', resource, name, `${resourceText(resource)}${object} is forbidden: ${problem}`)
}

/** The error 405 for a path that does not support the method. */
export const methodNotAllowed = () =>
  failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})

export const unsupportedMediaType = (accepted: readonly string[]) => {
  const types = accepted.join(', ')
  const message = `the body of the request was in an unknown format - accepted media types include: ${types}`
  return failure(415, 'UnsupportedMediaType', message)
}

/** The error 410 Expired: the resourceVersion of a list or watch is too old. */
export const expired = (message: string) => failure(410, 'Expired', message)

export const tooManyRequests = (message: string, retryAfterSeconds: number) =>
  failure(429, 'TooManyRequests', message, { retryAfterSeconds })

export const serviceUnavailable = (message: string) => failure(503, 'ServiceUnavailable', message)

/** The error 504 with the text `Timeout: <message>`. The operation may still be completed. */
export const timeout = (message: string, details: StatusDetails) =>
  failure(504, 'Timeout', `Timeout: ${message}`, details)

/** The error 500 for an unknown error, whose text is the message. It has no reason. */
export const internalFailure = (message: string) => failure(500, '', message)

export const internalError = (problem: string) =>
  failure(500, 'InternalError', `Internal error occurred: ${problem}`, { causes: [{ message: problem }] })

export const requestEntityTooLarge = (message: string) =>
  failure(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`)

/** The error 404 for a path to a resource that does not exist in its group or version. kubectl prints its message. */
export const pathNotFound = () => failure(404, 'NotFound', 'the server could not find the requested resource', {})

/** The answer to a successful delete (without a code) or creation that does not return an object. */
export const success = (more: JsonObject): JsonObject => ({
  ...{ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' },
  ...more,
})
