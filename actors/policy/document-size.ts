import type { FieldError } from '../../src/api/field-error.ts'
import type { ProfileDocument } from '../ports.ts'

/**
 * Bytes of JSON that an ArmorProfile is made with. The API server's storage takes 1.5 MiB an object; the rest is for its status, which
 * names up to fifty nodes and what was wrong there, for managedFields and for what others put into its metadata.
 */
export const LARGEST_DOCUMENT = 1_310_720
/** So many of the parts are named. */
const NAMED = 3

/** What one code unit of a text takes at most. */
const MOST_OF_UNIT = 6

/** As the server writes it: with six bytes for what could end a script in a page of HTML, or a line. */
function bytesOf(value: unknown): number {
  const text = JSON.stringify(value) ?? ''
  const escaped = text.match(/[<>&\u2028\u2029]/g) ?? []
  return Buffer.byteLength(text) + 6 * escaped.length - Buffer.byteLength(escaped.join(''))
}

export const documentBytes = ({ metadata, spec }: ProfileDocument): number => bytesOf({ metadata, spec })

const grouped = (count: number): string => count.toLocaleString('en-US')

/** What is wrong with an ArmorProfile that is too large to be stored: that of all enforcers together, with the largest parts named. */
export function sizeErrors(document: ProfileDocument): FieldError[] {
  const { metadata, spec } = document
  // Nearly all are far from it.
  if (MOST_OF_UNIT * JSON.stringify({ metadata, spec }).length <= LARGEST_DOCUMENT) return []
  const bytes = documentBytes(document)
  if (bytes <= LARGEST_DOCUMENT) return []
  const { profile, ...rest } = spec
  const parts = [...partsOf('metadata', metadata), ...partsOf('spec', rest), ...partsOf('spec.profile', profile)]
  const largest = parts.sort((one, other) => other.bytes - one.bytes).slice(0, NAMED)
  const named = largest.map(({ path, bytes }) => `${path} with ${grouped(bytes)}`).join(', ')
  const problem = `the ArmorProfile of all enforcers together has ${grouped(bytes)} bytes, and ${grouped(LARGEST_DOCUMENT)} are taken; its largest parts: ${named}. Write fewer rules for these, or divide them among several policies`
  return [{ code: 'TOO_LARGE', path: 'spec.policy', problem }]
}

const partsOf = (path: string, object: object): { path: string; bytes: number }[] =>
  Object.entries(object).map(([name, value]) => ({ path: `${path}.${name}`, bytes: bytesOf(value) }))
