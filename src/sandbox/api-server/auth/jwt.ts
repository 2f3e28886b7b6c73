import { createSign, createVerify, type KeyObject } from 'node:crypto'
import { isObject, type JsonObject } from '../schema/json.ts'

const part = (value: JsonObject): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A JSON web token, signed with an EC P-256 key (ES256). */
export function signJwt(claims: JsonObject, key: KeyObject, keyId: string): string {
  const content = `${part({ alg: 'ES256', kid: keyId })}.${part(claims)}`
  const signature = createSign('SHA256').update(content).sign({ key, dsaEncoding: 'ieee-p1363' })
  return `${content}.${signature.toString('base64url')}`
}

/** The claims of a token that this key signed; undefined for every other text. Times are not looked at. */
export function verifyJwt(token: string, key: KeyObject): JsonObject | undefined {
  const [header = '', payload = '', signature = '', more] = token.split('.')
  if (signature === '' || more !== undefined || decode(header)?.['alg'] !== 'ES256') return undefined
  const verified = createVerify('SHA256')
    .update(`${header}.${payload}`)
    .verify({ key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
  return verified ? decode(payload) : undefined
}

function decode(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return isObject(value) ? value : undefined
  } catch {
    // No JSON: no token of ours.
    return undefined
  }
}
