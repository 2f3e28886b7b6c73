/** An audit rule as the kernel lists it, for tests; names are those of auditctl. */
export interface MadeRule {
  /** Number of the list: 0 user, 4 exit, 5 exclude. */
  list?: number
  action?: 'always' | 'never'
  fields: readonly MadeField[]
}

export type MadeField = readonly [field: number, operator: keyof typeof operatorNumbers, value: number | string]

export const operatorNumbers = {
  '&': 0x0800_0000,
  '<': 0x1000_0000,
  '>': 0x2000_0000,
  '!=': 0x3000_0000,
  '=': 0x4000_0000,
  '&=': 0x4800_0000,
  '<=': 0x5000_0000,
  '>=': 0x6000_0000,
} as const

export const msgtype = 12
export const uid = 1
export const exe = 112
export const euid = 2

/** The payload of a message of AUDIT_LIST_RULES (struct audit_rule_data). */
export function ruleBytes({ list = 5, action = 'always', fields }: MadeRule): Buffer {
  const fixed = Buffer.alloc(1_040)
  const texts: Buffer[] = []
  fixed.writeUInt32LE(list, 0)
  fixed.writeUInt32LE(action === 'always' ? 2 : 0, 4)
  fixed.writeUInt32LE(fields.length, 8)
  fields.forEach(([field, operator, value], i) => {
    const text = Buffer.from(typeof value === 'string' ? value : '')
    texts.push(text)
    fixed.writeUInt32LE(field, 268 + 4 * i)
    fixed.writeUInt32LE(typeof value === 'string' ? text.length : value, 524 + 4 * i)
    fixed.writeUInt32LE(operatorNumbers[operator], 780 + 4 * i)
  })
  const all = Buffer.concat(texts)
  fixed.writeUInt32LE(all.length, 1_036)
  return Buffer.concat([fixed, all])
}

/** The answer of the native addon. */
export const rulesBytes = (...rules: MadeRule[]): Buffer =>
  Buffer.concat(
    rules.flatMap((rule) => {
      const bytes = ruleBytes(rule)
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.length, 0)
      return [length, bytes]
    }),
  )
