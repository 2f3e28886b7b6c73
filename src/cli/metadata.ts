/** Fields added to each violation (Helm value `auditEventMetadata`). */
export type Metadata = Record<string, unknown>

/** Adds the pairs of the flag --metadata, `k=v,…`, to the JSON object that upstream's chart sets in the environment. */
export function parseMetadata(
  text = '',
  json = process.env['AUDIT_EVENT_METADATA'] || '{}',
): { ok: true; value: Metadata } | { ok: false; problem: string } {
  const value = parsedObject(json)
  if (value === undefined) return { ok: false, problem: `AUDIT_EVENT_METADATA is not a JSON object: ${json}` }
  for (const pair of text.split(',').filter((part) => part !== '')) {
    const at = pair.indexOf('=')
    if (at <= 0) return { ok: false, problem: `--metadata has "${pair}", which is not KEY=VALUE` }
    value[pair.slice(0, at).trim()] = pair.slice(at + 1).trim()
  }
  return { ok: true, value: { ...value } }
}

/** Parses an object without a prototype, so that keys such as `__proto__` are ordinary keys. */
function parsedObject(json: string): Metadata | undefined {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return Object.assign(Object.create(null), value) as Metadata
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
