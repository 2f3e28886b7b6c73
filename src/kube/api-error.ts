import type { Status } from './objects.ts'

/** The request that failed. */
export interface RequestContext {
  verb: string
  path: string
}

/** Maximum seconds that we wait for a Retry-After, because a faulty server or proxy may ask for hours. */
const MAX_RETRY_AFTER = 600

/** The server answered with a refusal. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** The HTTP status, or the code of an error inside a watch. */
  readonly code: number
  /** meta/v1 StatusReason, such as `NotFound`; derived from the code if the server gave no reason. */
  readonly reason: string
  readonly status: Status
  readonly context: Readonly<RequestContext>
  /** Seconds to wait before a retry, if the server gave them. */
  readonly retryAfter: number | undefined

  constructor(code: number, status: Status, context: RequestContext, retryAfter?: number) {
    const reason = status.reason || (reasons[code] ?? 'Unknown')
    super(`${context.verb} ${context.path}: ${code} ${reason}: ${status.message || 'the server gave no message'}`)
    this.code = code
    this.reason = reason
    this.status = status
    this.context = context
    const seconds = retryAfter ?? status.details?.retryAfterSeconds
    this.retryAfter = seconds === undefined ? undefined : Math.min(Math.max(0, seconds), MAX_RETRY_AFTER)
  }
}

/** Reasons why there is no usable answer. */
export const connectionErrorCodes = {
  NOT_SENT: 'the connection failed, so the server did not receive the request',
  NO_CREDENTIALS: 'there are no credentials, so nothing was sent',
  BROKEN: 'the connection broke; the server may have handled the request or not',
  DEADLINE: 'the request timed out',
  TOO_LARGE: 'the answer, or one line of it, is too long',
  NOT_JSON: 'the answer is not the JSON that was expected',
} as const

export type ConnectionErrorCode = keyof typeof connectionErrorCodes

/** There was no usable answer. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly code: ConnectionErrorCode
  readonly context: Readonly<RequestContext>

  constructor(code: ConnectionErrorCode, context: RequestContext, detail: string, options?: ErrorOptions) {
    super(`${context.verb} ${context.path}: ${connectionErrorCodes[code]}: ${detail}`, options)
    this.code = code
    this.context = context
  }
}

/**
 * The reasons that apimachinery gives to answers without a Status, such as answers of proxies (api/errors,
 * NewGenericServerResponse).
 */
const reasons: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

// These functions are not type guards: if one returned false, TypeScript would exclude the type ApiError.
const hasReason =
  (...wanted: string[]) =>
  (error: unknown): boolean =>
    error instanceof ApiError && wanted.includes(error.reason)

export const isNotFound = hasReason('NotFound')
export const isAlreadyExists = hasReason('AlreadyExists')
/**
 * Another client has changed the object: read it again and retry. AlreadyExists has the same code 409, but is no
 * conflict.
 */
export const isConflict = hasReason('Conflict')
export const isInvalid = hasReason('Invalid')
export const isForbidden = hasReason('Forbidden')
export const isUnauthorized = hasReason('Unauthorized')
export const isTooManyRequests = hasReason('TooManyRequests')
export const isServiceUnavailable = hasReason('ServiceUnavailable')
/** The server no longer has the requested version: list again. */
export const isExpired = hasReason('Expired', 'Gone')

/**
 * The server lags behind and has not seen the requested version yet. It sends a Timeout with this cause, and before
 * Kubernetes 1.17 only with this text.
 */
export function isTooLargeVersion(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false
  const causes = error.status.details?.causes ?? []
  return (
    causes.some(({ reason }) => reason === 'ResourceVersionTooLarge') ||
    /too large resource version/i.test(error.message)
  )
}
