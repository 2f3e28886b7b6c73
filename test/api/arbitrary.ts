import fc from 'fast-check'
import { textProblem } from '../../src/api/check-text.ts'
import type { SchemaNode, TextCheck } from '../../src/api/schema/node.ts'

const samples: Record<TextCheck, readonly string[]> = {
  enforcers: ['AppArmor', 'BPF', 'seccomp', 'NETWORKPROXY', 'AppArmorBPF', 'bpfSeccompAppArmor', 'BPFNetworkProxy'],
  ip: ['192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1'],
  'ip-or-entity': ['192.0.2.1', '::1', 'pod-self', 'localhost', 'unspecified'],
  cidr: ['10.0.0.0/8', '192.0.2.1/24', '::/0', '2001:db8::/64'],
  program: ['/bin/sh', '/usr/bin/python3', '/opt/a b/ü'],
}

const anyCase = (form: string) => fc.constantFrom(form, form.toUpperCase(), form.toLowerCase())

function textOf(node: SchemaNode): fc.Arbitrary<string> {
  const { enum: values, words, check, pattern, minLength = 0, maxLength = 8 } = node
  if (values !== undefined) return fc.constantFrom(...values)
  if (words !== undefined) {
    const forms = Object.entries(words).flat(2)
    return fc
      .oneof(fc.constantFrom(...forms), fc.constantFrom(...forms).chain(anyCase))
      .filter((form) => !textProblem(node, form))
  }
  if (node.format === 'date-time') return fc.constantFrom('2026-01-31T12:00:00Z', '2026-01-31T12:00:00.5+02:00')
  if (check !== undefined) return fc.constantFrom(...samples[check])
  const plain =
    pattern === undefined
      ? fc.string({ minLength, maxLength: Math.min(maxLength, 8) })
      : fc.stringMatching(new RegExp(pattern, 'u'), { size: 'xsmall' })
  return plain.filter((text) => textProblem(node, text) === undefined)
}

/**
 * Values that a schema accepts, without its rules about several fields. The values are small and often equal to each
 * other.
 */
export function arbitraryOf(node: SchemaNode): fc.Arbitrary<unknown> {
  if (node.anything) return fc.constant(null)
  if (node.quantity) return fc.constantFrom<string | number>('100m', '0.1', 1, '64Mi', '1G', '2e3')
  if (node.type === 'string') return textOf(node)
  if (node.type === 'boolean') return fc.boolean()
  if (node.type === 'integer') return integerOf(node)
  if (node.type === 'array') return listOf(node)
  return node.additionalProperties ? mapOf(node, node.additionalProperties) : objectOf(node)
}

function integerOf({ minimum: min = 0, maximum: max = 1000, default: common }: SchemaNode): fc.Arbitrary<number> {
  const near = [min, min + 1, max, ...(typeof common === 'number' ? [common, common, common + 1] : [])]
  return fc.oneof(fc.constantFrom(...near), fc.integer({ min, max: Math.min(max, 2 ** 31 - 1) }))
}

function listOf({ items = {}, minItems = 0, maxItems = 3, listType }: SchemaNode): fc.Arbitrary<unknown[]> {
  const bounds = { minLength: minItems, maxLength: Math.min(maxItems, Math.max(minItems, 2)) }
  const item = arbitraryOf(items)
  return listType === 'set' ? fc.uniqueArray(item, bounds) : fc.array(item, bounds)
}

function mapOf({ keys }: SchemaNode, values: SchemaNode): fc.Arbitrary<unknown> {
  const key = fc.stringMatching(new RegExp(keys?.pattern ?? '^[a-z]{1,3}$', 'u'), { size: 'xsmall' })
  return fc.dictionary(key, arbitraryOf(values), { maxKeys: 2, noNullPrototype: true })
}

function objectOf({ properties = {}, required = [] }: SchemaNode): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, arbitraryOf(field)]))
  return fc.record(fields, { requiredKeys: [...required], noNullPrototype: true })
}

/** All schemas in `node`, starting with itself. */
export function* nodesIn(node: SchemaNode): Generator<SchemaNode> {
  yield node
  const inner = [node.items, node.additionalProperties || undefined, ...Object.values(node.properties ?? {})]
  for (const one of inner) if (one !== undefined) yield* nodesIn(one)
}
