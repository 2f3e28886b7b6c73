import type { FieldError } from '../api/field-error.ts'
import type { KubeObject } from './objects.ts'
import { isRecord, readObject } from './read-object.ts'

/** admission.k8s.io/v1: what the server asks a webhook. */
export interface AdmissionRequest {
  uid: string
  kind: GroupVersionKind
  resource: GroupVersionResource
  subResource?: string
  requestKind?: GroupVersionKind
  requestResource?: GroupVersionResource
  requestSubResource?: string
  /** Empty while the server has not made a name from generateName. */
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
  /** Shown to the user by kubectl; 120 characters each are kept. */
  warnings?: string[]
}

export interface AdmissionReview {
  apiVersion: 'admission.k8s.io/v1'
  kind: 'AdmissionReview'
  response: AdmissionResponse
}

const operations = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT']

/** The request in the body of a call to a webhook, or everything that is wrong with it. */
export function parseAdmissionReview(body: string): { request: AdmissionRequest } | { errors: FieldError[] } {
  const read = readObject(body, 'admission.k8s.io/v1', 'AdmissionReview')
  if ('errors' in read) return read
  const { request } = read.object
  if (!isRecord(request)) return { errors: [wrong('request', 'an object is needed here', request)] }
  const errors = requestErrors(request)
  if (errors.length > 0) return { errors }
  const { object = null, oldObject = null } = request
  return { request: { ...request, object, oldObject } as unknown as AdmissionRequest }
}

function requestErrors(request: Record<string, unknown>): FieldError[] {
  const errors: FieldError[] = []
  const { uid, operation } = request
  if (typeof uid !== 'string' || uid === '')
    errors.push(wrong('request.uid', 'a text that is not empty is needed here', uid))
  if (typeof operation !== 'string' || !operations.includes(operation))
    errors.push({
      code: 'NOT_ALLOWED',
      path: 'request.operation',
      problem: 'there is no such operation',
      given: operation,
      allowed: operations.join(', '),
    })
  for (const field of ['kind', 'resource', 'userInfo'] as const)
    if (!isRecord(request[field])) errors.push(wrong(`request.${field}`, 'an object is needed here', request[field]))
  for (const field of ['object', 'oldObject'] as const)
    if (request[field] != null && !isRecord(request[field]))
      errors.push(wrong(`request.${field}`, 'an object or null is needed here', request[field]))
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

/** Lets it pass, changed by a JSON patch where there is one. */
export function allow(uid: string, patch: readonly object[] = [], warnings: string[] = []): AdmissionReview {
  const patched =
    patch.length === 0
      ? {}
      : { patchType: 'JSONPatch' as const, patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
  return admissionReview({ uid, allowed: true, ...patched, ...(warnings.length === 0 ? {} : { warnings }) })
}

/** Refuses. `message` is what the user reads. */
export function deny(uid: string, message: string, { code = 422, reason = 'Invalid' } = {}): AdmissionReview {
  return admissionReview({ uid, allowed: false, status: { code, reason, message } })
}
