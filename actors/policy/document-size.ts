import type { FieldError } from '../../src/api/field-error.ts'
import type { ProfileDocument } from '../ports.ts'

/**
 * Maximum bytes of JSON of a new ArmorProfile. etcd limits an object to 1.5 MiB; the rest is for the status (up to
 * fifty nodes with their failures), managedFields, and metadata of other clients.
 */
export const LARGEST_DOCUMENT = 1_310_720
/** Number of parts that an error message names. */
const NAMED = 3

/** Maximum bytes of one UTF-16 code unit. */
const MAX_OF_UNIT = 6

/** Bytes of the text as the API server writes it: six bytes for a character that could end an HTML script or a line. */
function bytesOf(value: unknown): number {
  const text = JSON.stringify(value) ?? ''
  const escaped = text.match(/[<>&\u2028\u2029]/g) ?? []
  return Buffer.byteLength(text) + 6 * escaped.length - Buffer.byteLength(escaped.join(''))
}

export const documentBytes = ({ metadata, spec }: ProfileDocument): number => bytesOf({ metadata, spec })

const grouped = (count: number): string => count.toLocaleString('en-US')

/**
 * Errors for an ArmorProfile that is too large to store: the size of all enforcers together, with the largest parts
 * named.
 */
export function sizeErrors(document: ProfileDocument): FieldError[] {
  const { metadata, spec } = document
  // Nearly all profiles are far below the limit, so a fast estimate is enough.
  if (MAX_OF_UNIT * JSON.stringify({ metadata, spec }).length <= LARGEST_DOCUMENT) return []
  const bytes = documentBytes(document)
  if (bytes <= LARGEST_DOCUMENT) return []
  const { profile, ...rest } = spec
  const parts = [...partsOf('metadata', metadata), ...partsOf('spec', rest), ...partsOf('spec.profile', profile)]
  const largest = parts.sort((one, other) => other.bytes - one.bytes).slice(0, NAMED)
  const named = largest.map(({ path, bytes }) => `${path} with ${grouped(bytes)}`).join(', ')
  const problem = `the ArmorProfile with the profiles of all enforcers has ${grouped(bytes)} bytes; the limit is ${grouped(LARGEST_DOCUMENT)}. Largest parts: ${named}. Use fewer rules for these parts, or split the policy`
  return [{ code: 'TOO_LARGE', path: 'spec.policy', problem }]
}

const partsOf = (path: string, object: object): { path: string; bytes: number }[] =>
  Object.entries(object).map(([name, value]) => ({ path: `${path}.${name}`, bytes: bytesOf(value) }))
