import type { FieldError } from '../api/field-error.ts'
import { isRecord } from '../base/is-record.ts'
import type { KubeObject } from './objects.ts'
import { readObject } from './read-object.ts'

/** admission.k8s.io/v1: the server's request to a webhook. */
export interface AdmissionRequest {
  uid: string
  kind: GroupVersionKind
  resource: GroupVersionResource
  subResource?: string
  requestKind?: GroupVersionKind
  requestResource?: GroupVersionResource
  requestSubResource?: string
  /** Empty until the server has generated a name from generateName. */
  name?: string
  namespace?: string
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  userInfo: UserInfo
  /** null for DELETE. */
  object: KubeObject | null
  /** null for CREATE and CONNECT. */
  oldObject: KubeObject | null
  dryRun?: boolean
  options?: KubeObject | null
}

export interface GroupVersionKind {
  group: string
  version: string
  kind: string
}

export interface GroupVersionResource {
  group: string
  version: string
  resource: string
}

/** authentication.k8s.io/v1 UserInfo. */
export interface UserInfo {
  username?: string
  uid?: string
  groups?: string[]
  extra?: Record<string, string[]>
}

export interface AdmissionResponse {
  uid: string
  allowed: boolean
  status?: { code?: number; message?: string; reason?: string }
  /** A JSON patch in base64. */
  patch?: string
  patchType?: 'JSONPatch'
  auditAnnotations?: Record<string, string>
  /** kubectl shows the warnings to the user. The server keeps 120 characters of each. */
  warnings?: string[]
}

export interface AdmissionReview {
  apiVersion: 'admission.k8s.io/v1'
  kind: 'AdmissionReview'
  response: AdmissionResponse
}

const operations = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT']

/** Parses the request in the body of a webhook call. If it is invalid, lists all errors. */
export function parseAdmissionReview(body: string): { request: AdmissionRequest } | { errors: FieldError[] } {
  const read = readObject(body, 'admission.k8s.io/v1', 'AdmissionReview')
  if ('errors' in read) return read
  const { request } = read.object
  if (!isRecord(request)) return { errors: [wrong('request', 'this must be an object', request)] }
  const errors = requestErrors(request)
  if (errors.length > 0) return { errors }
  const { object = null, oldObject = null } = request
  return { request: { ...request, object, oldObject } as unknown as AdmissionRequest }
}

function requestErrors(request: Record<string, unknown>): FieldError[] {
  const errors: FieldError[] = []
  const { uid, operation } = request
  if (typeof uid !== 'string' || uid === '')
    errors.push(wrong('request.uid', 'this must be a text that is not empty', uid))
  if (typeof operation !== 'string' || !operations.includes(operation))
    errors.push({
      code: 'NOT_ALLOWED',
      path: 'request.operation',
      problem: 'this operation is unknown',
      given: operation,
      allowed: operations.join(', '),
    })
  for (const field of ['kind', 'resource', 'userInfo'] as const)
    if (!isRecord(request[field])) errors.push(wrong(`request.${field}`, 'this must be an object', request[field]))
  for (const field of ['object', 'oldObject'] as const)
    if (request[field] != null && !isRecord(request[field]))
      errors.push(wrong(`request.${field}`, 'this must be an object or null', request[field]))
  return errors
}

const wrong = (path: string, problem: string, given: unknown): FieldError => ({
  code: given === undefined ? 'REQUIRED' : 'WRONG_TYPE',
  path,
  problem,
  ...(given === undefined ? {} : { given }),
})

/** The body of the answer. */
export function admissionReview(response: AdmissionResponse): AdmissionReview {
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }
}

/** Allows the request, with a JSON patch if there is one. */
export function allow(uid: string, patch: readonly object[] = [], warnings: string[] = []): AdmissionReview {
  const patched =
    patch.length === 0
      ? {}
      : { patchType: 'JSONPatch' as const, patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
  return admissionReview({ uid, allowed: true, ...patched, ...(warnings.length === 0 ? {} : { warnings }) })
}

/** Denies the request. The user reads `message`. */
export function deny(uid: string, message: string, { code = 422, reason = 'Invalid' } = {}): AdmissionReview {
  return admissionReview({ uid, allowed: false, status: { code, reason, message } })
}
