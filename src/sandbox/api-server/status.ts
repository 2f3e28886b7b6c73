import { type FieldIssue, issueBody, issuesText } from './field-issue.ts'
import { goQuote } from './go-text.ts'

/** One of the reasons of a failure: `StatusCause` of meta/v1. */
export interface StatusCause {
  reason?: string
  message?: string
  field?: string
}

export interface StatusDetails {
  name?: string
  group?: string
  /** The resource (`pods`) for most reasons, the kind (`Pod`) for Invalid. */
  kind?: string
  uid?: string
  causes?: StatusCause[]
  retryAfterSeconds?: number
}

/** The object that the server answers instead of what was asked for: `Status` of meta/v1. */
export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: Record<string, never>
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
  /** The plural: `pods`. */
  resource: string
}
export interface GroupKind {
  group: string
  kind: string
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

const withGroup = (name: string, group: string): string => (group === '' ? name : `${name}.${group}`)
const resourceText = ({ resource, group }: GroupResource): string => withGroup(resource, group)

/** Details leave out what is empty, as Go's omitempty does. */
function detailsOf(group: string, kind: string, name: string, more: StatusDetails = {}): StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    ...(kind === '' ? {} : { kind }),
    ...more,
  }
}

const resourceDetails = ({ group, resource }: GroupResource, name: string, more?: StatusDetails): StatusDetails =>
  detailsOf(group, resource, name, more)

function failure(
  code: number,
  reason: string,
  message: string,
  details?: StatusDetails,
  cause?: Error,
): ApiStatusError {
  const status: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === '' ? {} : { reason }),
    ...(details === undefined ? {} : { details }),
    code,
  }
  return new ApiStatusError(status, cause === undefined ? {} : { cause })
}

const after = (retryAfterSeconds: number): StatusDetails => (retryAfterSeconds === 0 ? {} : { retryAfterSeconds })

export const notFound = (resource: GroupResource, name: string): ApiStatusError =>
  failure(404, 'NotFound', `${resourceText(resource)} ${goQuote(name)} not found`, resourceDetails(resource, name))

export const alreadyExists = (resource: GroupResource, name: string): ApiStatusError =>
  failure(
    409,
    'AlreadyExists',
    `${resourceText(resource)} ${goQuote(name)} already exists`,
    resourceDetails(resource, name),
  )

/** `metadata.generateName` led to a name that is taken. */
export const generateNameConflict = (
  resource: GroupResource,
  name: string,
  retryAfterSeconds: number,
): ApiStatusError =>
  failure(
    409,
    'AlreadyExists',
    `${resourceText(resource)} ${goQuote(name)} already exists, the server was not able to generate a unique name for the object`,
    resourceDetails(resource, name, after(retryAfterSeconds)),
  )

/** `Operation cannot be fulfilled on pods "x": <problem>`. */
export const conflict = (resource: GroupResource, name: string, problem: string): ApiStatusError =>
  failure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resourceText(resource)} ${goQuote(name)}: ${problem}`,
    resourceDetails(resource, name),
  )

/** The problem of `conflict` when the resourceVersion of an update is not the newest. */
export const STALE_OBJECT =
  'the object has been modified; please apply your changes to the latest version and try again'

/** The 409 of server-side apply: a cause for each field that another manager owns. */
export const applyConflict = (causes: StatusCause[], message: string): ApiStatusError =>
  failure(409, 'Conflict', message, { causes })

/** `Pod "x" is invalid: <issues>`; the group is written behind the kind (`Deployment.apps`). */
export function invalid(kind: GroupKind, name: string, issues: readonly FieldIssue[]): ApiStatusError {
  const causes = issues.map((issue) => ({ reason: issue.type, message: issueBody(issue), field: issue.field }))
  const problem = issues.length === 0 ? '' : `: ${issuesText(issues)}`
  return failure(
    422,
    'Invalid',
    `${withGroup(kind.kind, kind.group)} ${goQuote(name)} is invalid${problem}`,
    detailsOf(kind.group, kind.kind, name, causes.length === 0 ? {} : { causes }),
  )
}

/** 422 for a patch that does not fit the object. The server keeps the reason to itself; here it is the error's cause. */
export const unprocessable = (cause: Error): ApiStatusError =>
  failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {}, cause)

export const badRequest = (message: string): ApiStatusError => failure(400, 'BadRequest', message)

/** 401, as the server answers what no authenticator knows. */
export const unauthorized = (message = 'Unauthorized'): ApiStatusError => failure(401, 'Unauthorized', message)

/** `pods "x" is forbidden: <problem>`. */
export function forbidden(resource: GroupResource, name: string, problem: string): ApiStatusError {
  const what = resourceText(resource)
  const subject = what === '' ? 'forbidden' : `${what} ${name === '' ? '' : `${goQuote(name)} `}is forbidden`
  return failure(403, 'Forbidden', `${subject}: ${problem}`, resourceDetails(resource, name))
}

/** `patch is not supported on resources of kind "pods"`. */
export const methodNotSupported = (resource: GroupResource, action: string): ApiStatusError =>
  failure(
    405,
    'MethodNotAllowed',
    `${action} is not supported on resources of kind ${goQuote(resourceText(resource))}`,
    resourceDetails(resource, ''),
  )

/** 405 for a path whose method nothing serves; the server does not name the resource then. */
export const methodNotAllowed = (): ApiStatusError =>
  failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})

export const notAcceptable = (accepted: readonly string[]): ApiStatusError =>
  failure(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`)

export const unsupportedMediaType = (accepted: readonly string[]): ApiStatusError =>
  failure(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  )

/** 410 Expired: the resourceVersion of a list or watch is too old. */
export const expired = (message: string): ApiStatusError => failure(410, 'Expired', message)
/** 410 Gone, an older reason that some paths still give. */
export const gone = (message: string): ApiStatusError => failure(410, 'Gone', message)

export const tooManyRequests = (message: string, retryAfterSeconds: number): ApiStatusError =>
  failure(429, 'TooManyRequests', message, after(retryAfterSeconds))

export const serviceUnavailable = (message: string): ApiStatusError => failure(503, 'ServiceUnavailable', message)

/** 504 `Timeout: <message>`: the operation may still complete. */
export const timeout = (message: string, retryAfterSeconds: number): ApiStatusError =>
  failure(504, 'Timeout', `Timeout: ${message}`, after(retryAfterSeconds))

/** 500 ServerTimeout: something passing kept the operation from completing, the client should try again. */
export const serverTimeout = (resource: GroupResource, operation: string, retryAfterSeconds: number): ApiStatusError =>
  failure(
    500,
    'ServerTimeout',
    `The ${operation} operation against ${resourceText(resource)} could not be completed at this time, please try again.`,
    resourceDetails(resource, operation, after(retryAfterSeconds)),
  )

/** 500 for an error that no handler knows: its text is the message, without a reason. */
export const internalFailure = (message: string): ApiStatusError => failure(500, '', message)

export const internalError = (problem: string): ApiStatusError =>
  failure(500, 'InternalError', `Internal error occurred: ${problem}`, { causes: [{ message: problem }] })

export const requestEntityTooLarge = (message: string): ApiStatusError =>
  failure(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`)

/** The 404 for a path below a served group that no resource has; kubectl prints its message. */
export const pathNotFound = (): ApiStatusError =>
  failure(404, 'NotFound', 'the server could not find the requested resource', {})

/** What a delete without an object to return answers. */
export const success = (details?: StatusDetails): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  ...(details === undefined ? {} : { details }),
  code: 200,
})
