import { isObject, type JsonValue } from '../api-server/schema/json.ts'

/** Letters and digits that make no words: Kubernetes' alphabet for generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/**
 * A short text that is the same for equal values, whatever the order of their fields. It stands in names and labels
 * (`pod-template-hash`). Kubernetes hashes Go's print of a struct, so its text for the same template is another.
 */
export function shortHash(value: JsonValue, collisions = 0): string {
  const text = collisions === 0 ? canonical(value) : `${canonical(value)}#${collisions}`
  return [...String(fnv1a(text))].map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join('')
}

function canonical(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const fields = Object.keys(value).filter((name) => value[name] !== undefined && value[name] !== null)
  return `{${fields
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)
    .join(',')}}`
}

/** FNV-1a, 32 bits, over UTF-8. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
