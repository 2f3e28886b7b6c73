import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { FieldError } from '../api/field-error.ts'
import { isRecord } from '../base/is-record.ts'
import type { UserInfo } from './admission.ts'
import { ApiError } from './api-error.ts'
import type { CallOptions } from './caller.ts'
import type { ApiClient } from './client.ts'
import type { KubeObject } from './objects.ts'
import { readObject } from './read-object.ts'
import { defineResource } from './resources.ts'

/** authentication.k8s.io/v1 TokenReview: asks the server for the user of a token. */
export interface TokenReview extends KubeObject {
  spec: { token: string; audiences?: string[] }
  status?: TokenReviewStatus
}

export interface TokenReviewStatus {
  authenticated?: boolean
  user?: UserInfo
  /** The requested audiences that the token is for. */
  audiences?: string[]
  error?: string
}

export const tokenReviews = defineResource<TokenReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
})

interface SelfSubjectReview extends KubeObject {
  status?: { userInfo?: UserInfo }
}

const selfSubjectReviews = defineResource<SelfSubjectReview>({
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'selfsubjectreviews',
  kind: 'SelfSubjectReview',
  namespaced: false,
})

/**
 * Our own user name; undefined if the server does not report it: before Kubernetes 1.28, or without the right to ask.
 */
export async function ownUser(client: ApiClient): Promise<string | undefined> {
  try {
    return (await client.create(selfSubjectReviews, {})).status?.userInfo?.username
  } catch (error) {
    if (error instanceof ApiError && [403, 404, 405].includes(error.code)) return undefined
    throw error
  }
}

/** The user of a token, or why the token is refused. */
export type TokenVerdict = { user: UserInfo & { username: string } } | { refused: string }

/**
 * Asks the server for the user of a token. The audiences are also checked here, because a server whose authenticator
 * ignores audiences reports `authenticated` without `status.audiences`.
 * @throws {ApiError} and {ConnectionError} of the client: the user is unknown
 */
export async function reviewToken(
  client: ApiClient,
  token: string,
  audiences: readonly string[] = [],
  options: CallOptions = {},
): Promise<TokenVerdict> {
  const spec = { token, ...(audiences.length === 0 ? {} : { audiences: [...audiences] }) }
  const review = await client.create(tokenReviews, { spec }, { ...options, class: options.class ?? 'read' })
  return verdictOf(review.status, audiences)
}

const texts = Type.Array(Type.String())
const answered = Type.Object({
  authenticated: Type.Optional(Type.Boolean()),
  user: Type.Optional(
    Type.Object({
      username: Type.Optional(Type.String()),
      uid: Type.Optional(Type.String()),
      groups: Type.Optional(texts),
      extra: Type.Optional(Type.Record(Type.String(), texts)),
    }),
  ),
  audiences: Type.Optional(texts),
  error: Type.Optional(Type.String()),
})

export function verdictOf(status: TokenReviewStatus | undefined, audiences: readonly string[]): TokenVerdict {
  if (status !== undefined && !Value.Check(answered, status))
    return { refused: 'the API server did not answer with a TokenReview' }
  if (status?.authenticated !== true) return { refused: status?.error || 'the token is not valid' }
  const { user } = status
  if (!user?.username) return { refused: 'the server says that the token is valid, but does not name its user' }
  const granted = status.audiences ?? []
  if (audiences.length > 0 && !audiences.some((audience) => granted.includes(audience)))
    return { refused: `the token does not have any of the audiences ${audiences.join(', ')}` }
  return { user: { ...user, username: user.username } }
}

/**
 * Parses a review in the body of a request, for tests that act as the API server. If it is invalid, lists all errors.
 */
export function parseTokenReview(body: string): { review: TokenReview } | { errors: FieldError[] } {
  const read = readObject(body, 'authentication.k8s.io/v1', 'TokenReview')
  if ('errors' in read) return read
  const { spec } = read.object
  if (!isRecord(spec)) return { errors: [{ code: 'REQUIRED', path: 'spec', problem: 'this must be an object' }] }
  const errors: FieldError[] = []
  const { token, audiences } = spec
  if (typeof token !== 'string' || token === '')
    errors.push({ code: 'REQUIRED', path: 'spec.token', problem: 'this must be a text that is not empty' })
  if (audiences !== undefined && !(Array.isArray(audiences) && audiences.every((each) => typeof each === 'string')))
    errors.push({
      code: 'WRONG_TYPE',
      path: 'spec.audiences',
      problem: 'this must be a list of texts',
      given: audiences,
    })
  return errors.length > 0 ? { errors } : { review: read.object as unknown as TokenReview }
}
