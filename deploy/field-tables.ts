import { kinds } from '../src/api/crds.ts'
import type { FieldErrorCode } from '../src/api/field-error.ts'
import { type Rule, rules } from '../src/api/rules.ts'
import type { SchemaNode } from '../src/api/schema/node.ts'
import { listWords } from '../src/api/vocabulary.ts'
import { markdownTable } from '../src/base/markdown.ts'

// The tables of docs/reference/fields.md: every field of a kind, and every rule that combines several fields.

/**
 * A field with its path: `spec.policy.enforcer`, with [] for the elements of a list and {} for the values of a map.
 * Elements and values that are not objects have no row: the row of their list or map describes them.
 */
interface Field {
  path: string
  node: SchemaNode
  required: boolean
  /** Where an object of the same shape already has rows for its fields. */
  sameAs?: string
}

/** Kubernetes' own fields. */
const isKubernetes = (path: string): boolean => ['apiVersion', 'kind', 'metadata'].includes(path)

const isPlain = ({ properties, items, additionalProperties }: SchemaNode): boolean =>
  properties === undefined && items === undefined && !additionalProperties

/** The schema of a list's elements or a map's values, if they are not objects. */
function plainElement({ items, additionalProperties }: SchemaNode): SchemaNode | undefined {
  const element = items ?? (additionalProperties || undefined)
  return element !== undefined && isPlain(element) ? element : undefined
}

const shapeOf = ({ description: _, rulesAt: __, ...shape }: SchemaNode): string => JSON.stringify(shape)

/** @param seen the kind and path of each object, by its shape; this function adds objects */
function fieldsOf(node: SchemaNode, path: string, seen: Map<string, string>, kind = ''): Field[] {
  const { properties = {}, required = [], items, additionalProperties } = node
  const inner: [name: string, node: SchemaNode][] = [
    ...Object.entries(properties),
    ...(items === undefined || isPlain(items) ? [] : [['[]', items] as [string, SchemaNode]]),
    ...(additionalProperties && !isPlain(additionalProperties)
      ? [['{}', additionalProperties] as [string, SchemaNode]]
      : []),
  ]
  return inner.flatMap(([name, field]): Field[] => {
    const isElement = name === '[]' || name === '{}'
    const at = path === '' || isElement ? `${path}${name}` : `${path}.${name}`
    if (isKubernetes(at)) return []
    const isObject = Object.keys(field.properties ?? {}).length > 1
    const sameAs = isObject ? seen.get(shapeOf(field)) : undefined
    const row: Field = { path: at, node: field, required: required.includes(name), ...(sameAs && { sameAs }) }
    if (sameAs !== undefined) return [row]
    if (isObject) seen.set(shapeOf(field), `${kind} \`${at}\``)
    return [row, ...fieldsOf(field, at, seen, kind)]
  })
}

const singular: Record<string, string> = {
  string: 'text',
  integer: 'integer',
  boolean: 'true or false',
  object: 'object',
}
const plural: Record<string, string> = {
  text: 'texts',
  word: 'words',
  integer: 'numbers',
  object: 'objects',
  quantity: 'quantities',
  'true or false': 'true or false',
}

function typeOf({ type, quantity, anything, items, additionalProperties, enum: values, words }: SchemaNode): string {
  if (quantity) return 'quantity'
  if (anything) return 'any value'
  if (values !== undefined || words !== undefined) return 'word'
  const several = (element: SchemaNode): string => plural[typeOf(element)] ?? 'values'
  if (items !== undefined) return `list of ${several(items)}`
  if (additionalProperties) return `map of ${several(additionalProperties)}`
  return singular[type as string] ?? ''
}

const range = (least: number | undefined, max: number | undefined, unit: string): string[] => {
  const number = (value: number): string => value.toLocaleString('en')
  if (least !== undefined && max !== undefined) return [`${number(least)} to ${number(max)}${unit}`]
  if (max !== undefined) return [`at most ${number(max)}${unit}`]
  return least === undefined ? [] : [`at least ${number(least)}${unit}`]
}

function boundsOf(node: SchemaNode): string {
  const { enum: values, words, form, pattern, check, keys, format } = node
  const listed =
    words === undefined ? values?.map((value) => `\`${value}\``).join(', ') : `${listWords(words)}, in any case`
  return [
    ...(listed === undefined ? [] : [listed]),
    ...range(node.minimum, node.maximum, ''),
    ...range(node.minLength || undefined, node.maxLength, ' characters'),
    ...range(undefined, node.maxBytes, ' bytes'),
    ...range(node.minItems, node.maxItems, ' elements'),
    ...range(undefined, node.maxProperties, ' entries'),
    ...(form === undefined ? [] : [form]),
    ...(pattern !== undefined && form === undefined && check === undefined ? [`matches \`${pattern}\``] : []),
    ...(check === undefined || form !== undefined ? [] : [checks[check]]),
    ...(keys === undefined ? [] : [`keys: ${keys.form}`]),
    ...(format === 'date-time' ? ['RFC 3339'] : []),
    ...(node.listType === 'set' ? ['no element twice'] : []),
  ].join('; ')
}

const checks: Record<NonNullable<SchemaNode['check']>, string> = {
  enforcers: 'one or more of AppArmor, BPF, Seccomp and NetworkProxy, in any case',
  ip: 'an IPv4 or IPv6 address',
  'ip-or-entity': 'an IPv4 or IPv6 address, or a word in the meaning',
  cidr: 'a CIDR block',
  program: 'an absolute path without patterns',
}

/** The enforcers that implement a field of a policy. The longest prefix that matches the path of the field counts. */
const carriers: [path: string, enforcers: string][] = [
  ['spec.target', ''],
  ['spec.updateExistingWorkloads', ''],
  ['spec.policy.enforcer', ''],
  ['spec.policy.mode', ''],
  ['spec.policy.modelingOptions', 'AppArmor, BPF, Seccomp'],
  ['spec.policy.networkProxyConfig', 'none yet (NetworkProxy)'],
  ['spec.policy.enhanceProtect', 'AppArmor, BPF, Seccomp'],
  ['spec.policy.enhanceProtect.hardeningRules', 'by rule'],
  ['spec.policy.enhanceProtect.attackProtectionRules', 'by rule'],
  ['spec.policy.enhanceProtect.attackProtectionRules[].targets', 'AppArmor'],
  ['spec.policy.enhanceProtect.vulMitigationRules', 'by rule'],
  ['spec.policy.enhanceProtect.appArmorRawRules', 'AppArmor'],
  ['spec.policy.enhanceProtect.bpfRawRules', 'BPF'],
  ['spec.policy.enhanceProtect.syscallRawRules', 'Seccomp'],
  ['spec.policy.enhanceProtect.networkProxyRawRules', 'none yet (NetworkProxy)'],
  ['spec.policy.enhanceProtect.protectAncestors', 'AppArmor, BPF'],
  ['spec.policy.defenseInDepth', 'AppArmor, BPF, Seccomp'],
  ['spec.policy.defenseInDepth.appArmor', 'AppArmor'],
  ['spec.policy.defenseInDepth.seccomp', 'Seccomp'],
  ['spec.policy.defenseInDepth.bpf', 'BPF'],
  ['spec.policy.defenseInDepth.networkProxy', 'none yet (NetworkProxy)'],
]

function carriersOf(path: string): string {
  const isAt = (start: string): boolean =>
    path === start || path.startsWith(`${start}.`) || path.startsWith(`${start}[`)
  const found = carriers.filter(([start]) => isAt(start)).sort(([one], [other]) => other.length - one.length)
  return found[0]?.[1] ?? ''
}

/** A rule, with the field that it reports. */
interface PlacedRule {
  at: string
  rule: Rule
}

function rulesOf(root: SchemaNode): PlacedRule[] {
  const at = (path: string, node: SchemaNode): PlacedRule[] =>
    (node.rulesAt === undefined ? [] : rules[node.rulesAt]).map((rule) => ({
      at: [path, rule.field].filter((part) => part !== undefined && part !== '').join('.'),
      rule,
    }))
  const fields = fieldsOf(root, '', new Map()).filter(({ sameAs }) => sameAs === undefined)
  return [...at('', root), ...fields.flatMap(({ path, node }) => at(path, node))]
}

function changeOf(path: string, all: readonly PlacedRule[]): string {
  if (path.startsWith('status')) return 'managers write it'
  const changes = all.filter(({ at, rule }) => rule.change && (path === at || path.startsWith(`${at}.`)))
  if (changes.length === 0) return 'yes'
  return changes.some(({ rule }) => rule.message.startsWith('the target')) ? 'no' : 'within limits'
}

/** Codes of errors in one field that `validateSchema` reports. The wrong type is left out: any field can have it. */
function codesOf(
  { node, required, path }: Pick<Field, 'node' | 'path'> & { required?: boolean },
  all: readonly PlacedRule[],
): FieldErrorCode[] {
  const { code = 'NOT_ALLOWED', check } = node
  const isRanged = [node.enum, node.words, node.pattern, node.minimum, node.maximum].some((one) => one !== undefined)
  const isLimited = [node.maxLength, node.maxBytes, node.maxItems, node.maxProperties].some((one) => one !== undefined)
  const isFilled = [node.minLength, node.minItems].some((one) => (one ?? 0) > 0)
  const found: FieldErrorCode[] = [
    ...(required ? (['REQUIRED'] as const) : []),
    ...(isRanged || isFilled || check !== undefined || node.quantity ? [code] : []),
    ...(isLimited ? (['TOO_LONG'] as const) : []),
    ...(node.listType === 'set' ? (['CONFLICT'] as const) : []),
    ...all.filter(({ at }) => at === path).map(({ rule }) => rule.code),
  ]
  return [...new Set(found)]
}

/** A description of an element with fewer words only repeats the name of its list. */
const tellingWords = 5

/** The field's description, then that of its elements, unless the type or bounds of the elements say the same. */
function meaningOf(node: SchemaNode): string {
  const { description = '' } = node
  const element = plainElement(node)
  const isBounded = [element?.words, element?.enum, element?.form, element?.check].some((one) => one !== undefined)
  const ofElement = element?.description ?? ''
  if (isBounded || element?.quantity || ofElement.split(' ').length < tellingWords) return description
  return `${description} Each: ${ofElement[0]!.toLowerCase()}${ofElement.slice(1)}`
}

const kindOf = (name: string) => kinds.find(({ kind }) => kind === name)!

/** A table of every field of a kind. @param shared paths of objects whose fields are in other tables */
export function fieldTable(name: string, shared: Map<string, string>): string {
  const { schema } = kindOf(name)
  const all = rulesOf(schema)
  const isPolicy = name === 'VarmorPolicy'
  const rows = fieldsOf(schema, '', shared, name).map((field) => {
    const { path, node, required, sameAs } = field
    const about = sameAs === undefined ? meaningOf(node) : `${node.description ?? ''} Fields as in ${sameAs}.`
    const element = plainElement(node)
    const ofElement = element === undefined ? '' : boundsOf(element)
    const bounds = [boundsOf(node), ...(ofElement === '' ? [] : [`each: ${ofElement}`])].filter((text) => text !== '')
    return [
      `\`${path}\``,
      typeOf(node),
      bounds.join('; '),
      node.default === undefined ? (required ? 'required' : '') : `\`${JSON.stringify(node.default)}\``,
      ...(isPolicy ? [carriersOf(path), changeOf(path, all)] : []),
      [...new Set([...codesOf(field, all), ...(element === undefined ? [] : codesOf({ path, node: element }, []))])]
        .map((code) => `\`${code}\``)
        .join(', '),
      about,
    ]
  })
  const ofPolicy = isPolicy ? ['enforcers', 'may change'] : []
  return markdownTable(['field', 'type', 'bounds', 'default', ...ofPolicy, 'errors', 'meaning'], rows)
}

/** A table of every rule about several fields of a policy, or about its changes. The message names the remedy. */
export function fieldRuleTable(): string {
  const rows = rulesOf(kindOf('VarmorPolicy').schema).map(({ at, rule }) => [
    at === '' ? 'the object' : `\`${at}\``,
    rule.change ? 'a change' : 'the value',
    `\`${rule.code}\``,
    rule.message,
  ])
  return markdownTable(['field', 'about', 'error', 'what is wrong, and what to do'], rows)
}
