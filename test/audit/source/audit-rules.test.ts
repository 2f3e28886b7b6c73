import { expect } from 'chai'
import fc from 'fast-check'
import { droppedBy, parseAuditRules, ruleText } from '../../../src/audit/source/audit-rules.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { euid, exe, type MadeField, type MadeRule, msgtype, operatorNumbers, rulesBytes, uid } from './rule-bytes.ts'

const avc = 1400
const seccomp = 1326
const userAvc = 1107

const extent = (rules: MadeRule[], type: number): string =>
  droppedBy(parseAuditRules(rulesBytes(...rules)), type, type === userAvc)?.extent ?? 'none'

describe('rules of the kernel’s audit', () => {
  const one = (...fields: MadeField[]): MadeRule[] => [{ fields }]
  const rows: { what: string; rules: MadeRule[]; type?: number; dropped: 'all' | 'some' | 'none' }[] = [
    { what: 'none', rules: [], dropped: 'none' },
    { what: 'the rule of published sets', rules: one([msgtype, '=', avc]), dropped: 'all' },
    { what: 'the same with action never', rules: [{ action: 'never', fields: [[msgtype, '=', avc]] }], dropped: 'all' },
    { what: 'another type', rules: one([msgtype, '=', 1307]), dropped: 'none' },
    { what: 'all but another type', rules: one([msgtype, '!=', 1307]), dropped: 'all' },
    {
      what: 'a range around it',
      rules: one([msgtype, '>=', 1400], [msgtype, '<=', 1499]),
      dropped: 'all',
    },
    { what: 'a range below it', rules: one([msgtype, '>', 1300], [msgtype, '<', 1400]), dropped: 'none' },
    {
      what: 'two types at once, which is never',
      rules: one([msgtype, '=', avc], [msgtype, '=', 1326]),
      dropped: 'none',
    },
    { what: 'a user', rules: one([msgtype, '=', avc], [uid, '=', 0]), dropped: 'some' },
    { what: 'a user, said first', rules: one([uid, '>=', 1000], [msgtype, '=', avc]), dropped: 'some' },
    { what: 'a program', rules: one([exe, '=', '/usr/bin/runc'], [msgtype, '=', avc]), dropped: 'some' },
    { what: 'a user and all types', rules: one([uid, '=', 33]), dropped: 'some' },
    { what: 'nothing', rules: one(), dropped: 'none' },
    { what: 'a user of another type', rules: one([msgtype, '=', 1307], [uid, '=', 0]), dropped: 'none' },
    {
      what: 'some, then all',
      rules: [{ fields: [[uid, '=', 0]] }, { fields: [[msgtype, '=', avc]] }],
      dropped: 'all',
    },
    {
      what: 'all behind a field that ends the list for some',
      rules: [{ fields: [[euid, '=', 0]] }, { fields: [[msgtype, '=', avc]] }],
      dropped: 'some',
    },
    { what: 'of seccomp', rules: one([msgtype, '=', seccomp]), type: seccomp, dropped: 'all' },
    {
      what: 'of the list user, of what a bus daemon sends',
      rules: [{ list: 0, action: 'never', fields: [[msgtype, '=', userAvc]] }],
      type: userAvc,
      dropped: 'all',
    },
    {
      what: 'of the list user, which keeps it',
      rules: [
        { list: 0, action: 'always', fields: [[msgtype, '=', userAvc]] },
        { list: 0, action: 'never', fields: [[uid, '=', 0]] },
      ],
      type: userAvc,
      dropped: 'none',
    },
    {
      what: 'of the list user, which keeps it for some',
      rules: [
        { list: 0, action: 'always', fields: [[uid, '=', 0]] },
        { list: 0, action: 'never', fields: [[msgtype, '=', userAvc]] },
      ],
      type: userAvc,
      dropped: 'some',
    },
    {
      what: 'of the list user, with the records of the kernel',
      rules: [{ list: 0, action: 'never', fields: [[msgtype, '=', avc]] }],
      dropped: 'none',
    },
  ]
  for (const { what, rules, type = avc, dropped } of rows)
    it(`drop ${dropped} of the records: ${what}`, () => {
      expect(extent(rules, type)).to.equal(dropped)
    })

  it('are said as auditctl takes them, safe for a shell', () => {
    const [rule] = parseAuditRules(
      rulesBytes({
        fields: [
          [msgtype, '=', avc],
          [uid, '>=', 1000],
          [exe, '=', "/tmp/x'; reboot #"],
          [msgtype, '!=', 1307],
        ],
      }),
    )
    expect(ruleText(rule!)).to.equal(
      "always,exclude -F msgtype=AVC -F 'uid>=1000' -F 'exe=/tmp/x'\\''; reboot #' -F 'msgtype!=1307'",
    )
  })

  it('are cut where they are long', () => {
    const fields = Array.from({ length: 64 }, (_, n): MadeField => [exe, '=', `/${'x'.repeat(100)}${n}`])
    const [rule] = parseAuditRules(rulesBytes({ fields }))
    expect(rule!.fields).to.have.length(64)
    expect(ruleText(rule!).length).to.be.below(310)
  })

  it('whose bytes are none are refused, wherever they are cut', () => {
    const whole = rulesBytes({ fields: [[msgtype, '=', avc]] }, { fields: [[exe, '=', '/bin/x']] })
    for (let end = 1; end < whole.length; end++) {
      if (end === 1_044) continue
      expect(() => parseAuditRules(whole.subarray(0, end)), String(end)).to.throw(AuditSourceError)
    }
    const many = rulesBytes({ fields: [] })
    many.writeUInt32LE(65, 4 + 8)
    expect(() => parseAuditRules(many)).to.throw(AuditSourceError)
  })

  /** The steps of the kernel for one process (kernel/auditfilter.c, audit_filter()). */
  function keeps(rules: readonly MadeRule[], type: number, process: { uid: number; exe: string }): boolean {
    for (const { list = 5, action = 'always', fields } of rules) {
      let result = false
      for (const [field, operator, value] of fields) {
        if (field === msgtype || field === uid) {
          const left = field === msgtype ? type : process.uid
          const right = value as number
          const results: Record<keyof typeof operatorNumbers, boolean> = {
            ...{ '=': left === right, '!=': left !== right, '<': left < right, '>': left > right },
            ...{ '<=': left <= right, '>=': left >= right, '&': (left & right) > 0, '&=': (left & right) === right },
          }
          result = results[operator]
        } else if (field === exe) result = (process.exe === value) === (operator === '=')
        else return true
        if (!result) break
      }
      if (result) return !(list === 5 || action === 'never')
    }
    return true
  }

  it('that drop all or none do so for each process', () => {
    const operators = Object.keys(operatorNumbers) as (keyof typeof operatorNumbers)[]
    const numbers = {
      operator: fc.constantFrom(...operators),
      value: fc.constantFrom(0, 1, 1000, 1107, 1326, 1400, 1499),
    }
    const field = fc.oneof(
      { weight: 4, arbitrary: fc.record({ field: fc.constant(msgtype), ...numbers }) },
      { weight: 2, arbitrary: fc.record({ field: fc.constantFrom(uid, euid), ...numbers }) },
      fc.record({
        field: fc.constant(exe),
        operator: fc.constantFrom('=' as const, '!=' as const),
        value: fc.constantFrom('/a', '/b'),
      }),
    )
    const fields = fc.array(
      field.map((f): MadeField => [f.field, f.operator, f.value]),
      { maxLength: 3 },
    )
    const action = fc.constantFrom('always' as const, 'never' as const)
    const rules = fc.array(fc.record({ action, fields }), { maxLength: 4 })
    const seen = new Set<string>()
    fc.assert(
      fc.property(rules, fc.constantFrom(0, 5), fc.constantFrom(avc, seccomp, userAvc), (made, list, type) => {
        // The kernel checks the list `user` only for records from processes.
        if (list === 0 && type !== userAvc) return
        const ofList = made.map((rule) => ({ ...rule, list }))
        const said = extent(ofList, type)
        const kept = [0, 1, 2, 1000, 5000].flatMap((of) =>
          ['/a', '/b', '/c'].map((program) => keeps(ofList, type, { uid: of, exe: program })),
        )
        seen.add(said)
        if (said === 'all') expect(kept).not.to.include(true)
        if (said === 'none') expect(kept).not.to.include(false)
      }),
      { numRuns: 3_000 },
    )
    expect([...seen].toSorted()).to.deep.equal(['all', 'none', 'some'])
  })
})
