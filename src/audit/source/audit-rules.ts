import { AuditSourceError } from './audit-source-error.ts'

/**
 * A rule of the kernel's audit system that can suppress records (include/uapi/linux/audit.h, struct audit_rule_data).
 * A rule of the list `exclude` suppresses records of any type; a rule of the list `user`, messages of processes.
 */
export interface AuditRule {
  list: 'exclude' | 'user'
  action: 'always' | 'never'
  fields: readonly RuleField[]
}

/** A condition of a rule. A rule matches if all its fields match. */
export interface RuleField {
  field: number
  operator: number
  value: number
  /** The value, for a field whose value is a text. */
  text?: string
}

const lists: Readonly<Record<number, AuditRule['list']>> = { 0: 'user', 5: 'exclude' }
const prepend = 0x10
const never = 0
const maxFields = 64
/**
 * Offsets of 32-bit numbers in a rule: flags, action, number of fields (then the mask), fields, values, operators, and
 * number of bytes of the texts, which follow.
 */
const at = { flags: 0, action: 4, count: 8, fields: 268, values: 524, operators: 780, texts: 1040 } as const

const operators: Readonly<Record<number, string>> = {
  134217728: '&',
  268435456: '<',
  536870912: '>',
  805306368: '!=',
  1073741824: '=',
  1207959552: '&=',
  1342177280: '<=',
  1610612736: '>=',
}

const messageType = 12
/** Process fields that the kernel compares before it creates a record (kernel/auditfilter.c, audit_filter()). */
const processFields: Readonly<Record<number, string>> = {
  0: 'pid',
  1: 'uid',
  5: 'gid',
  9: 'auid',
  13: 'subj_user',
  14: 'subj_role',
  15: 'subj_type',
  16: 'subj_sen',
  17: 'subj_clr',
  24: 'loginuid_set',
  112: 'exe',
}
/** Fields whose value is the length of a text. */
const textFields = new Set([13, 14, 15, 16, 17, 112])
/** Names of types that auditctl accepts. */
const typeNames: Readonly<Record<number, string>> = { 1107: 'USER_AVC', 1326: 'SECCOMP', 1400: 'AVC' }

/**
 * Parses the rules that the addon returned; each rule follows its length.
 * @throws {AuditSourceError} SYSTEM for bytes that are not rules
 */
export function parseAuditRules(bytes: Uint8Array): AuditRule[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const rules: AuditRule[] = []
  for (let start = 0; start < bytes.length; ) {
    const length = start + 4 > bytes.length ? 0 : view.getUint32(start, true)
    const end = start + 4 + length
    if (length < at.texts || end > bytes.length) throw malformed()
    rules.push(parseRule(new DataView(bytes.buffer, bytes.byteOffset + start + 4, length)))
    start = end
  }
  return rules
}

function parseRule(rule: DataView): AuditRule {
  const list = lists[rule.getUint32(at.flags, true) & ~prepend]
  const count = rule.getUint32(at.count, true)
  if (list === undefined || count > maxFields) throw malformed()
  let text: number = at.texts
  const fields = Array.from({ length: count }, (_, i): RuleField => {
    const of = (table: number): number => rule.getUint32(table + 4 * i, true)
    const [field, operator, value] = [of(at.fields), of(at.operators), of(at.values)]
    if (!textFields.has(field)) return { field, operator, value }
    const from = Math.min(text, rule.byteLength)
    text = Math.min(from + value, rule.byteLength)
    const bytes = Buffer.from(rule.buffer as ArrayBuffer, rule.byteOffset + from, text - from)
    return { field, operator, value, text: bytes.toString('utf8') }
  })
  return { list, action: rule.getUint32(at.action, true) === never ? 'never' : 'always', fields }
}

const malformed = (): AuditSourceError =>
  new AuditSourceError('SYSTEM', "read the rules of the kernel's audit: their format is unknown", 'report the kernel')

/** How rules suppress records of one type. */
export interface Dropped {
  /** `all`: the records of all processes. `some`: only records of processes that match the rule's other fields. */
  extent: 'all' | 'some'
  rule: AuditRule
}

/**
 * Finds out whether rules suppress records of a type. The kernel stops at the first rule that matches. In the list
 * `exclude`, a match drops the record, whatever the action is. In the list `user`, the action `always` keeps the
 * record.
 * @param sent whether processes send records of this type
 */
export function droppedBy(rules: readonly AuditRule[], type: number, sent = false): Dropped | undefined {
  const found = (['exclude', ...(sent ? ['user' as const] : [])] as const).flatMap(
    (list) =>
      droppedByList(
        rules.filter((rule) => rule.list === list),
        type,
      ) ?? [],
  )
  return found.find(({ extent }) => extent === 'all') ?? found[0]
}

function droppedByList(rules: readonly AuditRule[], type: number): Dropped | undefined {
  let some: AuditRule | undefined
  let keepsSome = false
  for (const rule of rules) {
    const { match, pass, stop } = outcomes(rule, type)
    const drops = match && (rule.list === 'exclude' || rule.action === 'never')
    if (drops && !pass && !keepsSome) return { extent: 'all', rule }
    if (drops) some ??= rule
    keepsSome ||= stop || (match && !drops)
    if (!pass) break
  }
  return some && { extent: 'some', rule: some }
}

/**
 * The possible results of a rule for a record of a type; the process decides between them. `match`: the rule matches.
 * `pass`: the next rule is tried. `stop`: the list ends, as at a field that the kernel knows but does not compare here.
 */
function outcomes({ fields }: AuditRule, type: number): { match: boolean; pass: boolean; stop: boolean } {
  let [pass, stop] = [false, false]
  for (const { field, operator, value } of fields) {
    if (field !== messageType) {
      pass = true
      stop ||= !(field in processFields)
    } else if (!compare(type, operator, value)) return { match: false, pass: true, stop }
  }
  return { match: fields.length > 0, pass: pass || fields.length === 0, stop }
}

/** Compares numbers as the kernel does (audit_comparator()). */
export function compare(left: number, operator: number, right: number): boolean {
  switch (operators[operator]) {
    case '=':
      return left === right
    case '!=':
      return left !== right
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
    case '&':
      return (left & right) !== 0
    case '&=':
      return (left & right) >>> 0 === right
    default:
      return false
  }
}

/** Maximum characters of a rule in a message. */
const maxText = 300

/** The rule in auditctl's notation, without `-a` or `-d` before it. */
export function ruleText({ list, action, fields }: AuditRule): string {
  const words = fields.map(({ field, operator, value, text }) => {
    const name = field === messageType ? 'msgtype' : (processFields[field] ?? `f${field}`)
    const said = text ?? (field === messageType ? (typeNames[value] ?? value) : value)
    return `-F ${quoted(`${name}${operators[operator] ?? '?'}${said}`)}`
  })
  const whole = [`${action},${list}`, ...words].join(' ')
  return whole.length > maxText ? `${whole.slice(0, maxText)}…` : whole
}

/** Quotes a word if a shell needs quotes, because users paste the rule into a shell. */
const quoted = (word: string): string => (/^[\w=,.:/+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
