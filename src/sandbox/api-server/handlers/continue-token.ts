import { badRequest } from '../status.ts'

/** Where the next page of a list begins. `revision` -1: at the newest, since the one it began with is gone. */
export interface ContinueToken {
  readonly revision: number
  /** The first key that may come. */
  readonly start: string
}

/** The opaque text of a token, as etcd-backed servers write it: base64url of JSON. */
export function encodeContinue({ revision, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start })).toString('base64url')
}

/** @throws {ApiStatusError} 400 */
export function decodeContinue(token: string): ContinueToken {
  const { v, rv, start } = parse(token)
  if (v !== 'meta.k8s.io/v1') throw notValid(`: server does not recognize this encoded version ${v ?? ''}`)
  if (typeof rv !== 'number' || rv === 0)
    throw notValid(': incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (typeof start !== 'string' || start === '') throw notValid(': encoded start key empty (version meta.k8s.io/v1)')
  if (/(^|\/)\.\.?(\/|$)/.test(start)) throw notValid(`: ${start}`)
  return { revision: rv, start }
}

function parse(token: string): { v?: unknown; rv?: unknown; start?: unknown } {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Falls through: whatever is wrong with it, the token was not made here.
  }
  throw notValid(': illegal base64 data at input byte 0')
}

const notValid = (detail: string): Error => badRequest(`invalid continue token: continue key is not valid${detail}`)
