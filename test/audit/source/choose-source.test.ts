import { expect } from 'chai'
import { type AuditSourceCode, AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import {
  candidates,
  chooseSource,
  isLimitedByPrintk,
  parseRequest,
  type SourceRequest,
} from '../../../src/audit/source/choose-source.ts'

const auditLog = '/var/log/audit/audit.log'
const kernLog = '/var/log/kern.log'

/** A node on which only some sources can be opened. A file that a source waits for may be missing. */
function choose(request: SourceRequest, refusals: Record<string, AuditSourceCode>) {
  const opened: string[] = []
  const choice = chooseSource(request, async ({ name, wait }) => {
    const code = refusals[name]
    if (code !== undefined && !(wait && code === 'MISSING'))
      throw new AuditSourceError(code, `open ${name}`, `the remedy for ${code}`, { errno: 'EWHY' })
    opened.push(name)
    return name
  })
  return choice.then((made) => ({ ...made, opened }))
}

describe('the audit source in use', () => {
  const rows: {
    where: string
    request?: SourceRequest
    refusals: Record<string, AuditSourceCode>
    source: string | undefined
    reason: string | undefined
    refused: string[]
    limited?: boolean
  }[] = [
    { where: 'where it is permitted', refusals: {}, source: 'multicast', reason: 'first-choice', refused: [] },
    {
      where: 'without CAP_AUDIT_READ, beside auditd',
      refusals: { multicast: 'NOT_PERMITTED' },
      source: auditLog,
      reason: 'fallback',
      refused: ['multicast'],
    },
    {
      where: 'in a pod with its own network, without auditd',
      refusals: { multicast: 'WRONG_NETWORK', [auditLog]: 'MISSING' },
      source: kernLog,
      reason: 'fallback',
      refused: ['multicast', auditLog],
      limited: true,
    },
    {
      where: 'with neither auditd nor syslog',
      refusals: { multicast: 'ADDON_MISSING', [auditLog]: 'MISSING', [kernLog]: 'MISSING' },
      source: '/dev/kmsg',
      reason: 'fallback',
      refused: ['multicast', auditLog, kernLog],
      limited: true,
    },
    {
      where: 'where nothing can be read',
      refusals: { multicast: 'SYSTEM', [auditLog]: 'MISSING', [kernLog]: 'NOT_PERMITTED', '/dev/kmsg': 'SYSTEM' },
      source: undefined,
      reason: undefined,
      refused: ['multicast', auditLog, kernLog, '/dev/kmsg'],
    },
    {
      where: 'where the kernel keeps no records, whatever files there are',
      refusals: { multicast: 'AUDIT_OFF' },
      source: undefined,
      reason: undefined,
      refused: ['multicast'],
    },
    {
      where: 'with the paths forced',
      request: { kind: 'file', paths: ['/a', '/b'] },
      refusals: { '/a': 'MISSING' },
      source: '/b',
      reason: 'forced',
      refused: ['/a'],
    },
    {
      where: 'with paths forced that do not exist yet',
      request: { kind: 'file', paths: ['/a', '/b'] },
      refusals: { '/a': 'MISSING', '/b': 'MISSING' },
      source: '/a',
      reason: 'forced',
      refused: ['/a', '/b'],
    },
    {
      where: 'with /dev/kmsg forced',
      request: { kind: 'kmsg' },
      refusals: {},
      source: '/dev/kmsg',
      reason: 'forced',
      refused: [],
      limited: true,
    },
    {
      where: 'with the multicast forced where it is not permitted',
      request: { kind: 'multicast' },
      refusals: { multicast: 'NOT_PERMITTED' },
      source: undefined,
      reason: undefined,
      refused: ['multicast'],
    },
  ]
  for (const { where, request = {}, refusals, source, reason, refused, limited = false } of rows)
    it(`is ${source ?? 'none'} ${where}`, async () => {
      const choice = await choose(request, refusals)
      expect(choice.source).to.equal(source)
      expect(choice.chosen?.reason).to.equal(reason)
      expect(choice.refused.map(({ name }) => name)).to.deep.equal(refused)
      for (const { remedy, code } of choice.refused) expect(remedy).to.equal(`the remedy for ${code}`)
      const codes = choice.notices.map(({ code }) => code)
      expect(codes.filter((code) => code === 'printk-limit')).to.have.length(limited ? 1 : 0)
      expect(codes.filter((code) => code === 'audit-source-refused')).to.have.length(refused.length)
      expect(codes).to.include(source === undefined ? 'audit-source-none' : 'audit-source')
    })

  it('is only ever one: nothing is opened behind the first that can be', async () => {
    expect((await choose({}, {})).opened).to.deep.equal(['multicast'])
    expect((await choose({}, { multicast: 'NOT_PERMITTED' })).opened).to.deep.equal([auditLog])
  })

  it('says why another was not taken, in the reason for the one that was', async () => {
    const { chosen } = await choose({}, { multicast: 'NOT_PERMITTED', [auditLog]: 'MISSING' })
    expect(chosen?.why).to.include('multicast').and.include('EWHY').and.include(auditLog)
  })

  const none: [where: string, refusals: Record<string, AuditSourceCode>, why: RegExp, remedy: string][] = [
    [
      'where the kernel keeps no records',
      { multicast: 'AUDIT_OFF' },
      /^the kernel does not write audit records \(.*EWHY\)\): .*still/,
      'the remedy for AUDIT_OFF',
    ],
    [
      'where nothing can be read',
      { multicast: 'NOT_PERMITTED', [auditLog]: 'MISSING', [kernLog]: 'MISSING', '/dev/kmsg': 'SYSTEM' },
      /^no usable audit source \(multicast: .*; .*kmsg: .*\): .*still enforce, but their violations are not reported$/,
      'the remedy for NOT_PERMITTED; or the remedy for MISSING; or the remedy for SYSTEM',
    ],
  ]
  for (const [where, refusals, why, remedy] of none)
    it(`comes with the reason why there is none ${where}, and the remedy`, async () => {
      const { none } = await choose({}, refusals)
      expect(none?.why).to.match(why)
      expect(none?.remedy).to.equal(remedy)
    })

  it('does not take a bug for a refusal', async () => {
    const error = await chooseSource({}, async () => {
      throw new TypeError('a bug')
    }).catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(TypeError)
  })

  it('is tried in the order of the contract', () => {
    expect(candidates({}).map(({ name }) => name)).to.deep.equal(['multicast', auditLog, kernLog, '/dev/kmsg'])
  })
})

describe('the flags that force an audit source', () => {
  const good: [string | undefined, string | undefined, SourceRequest][] = [
    [undefined, undefined, {}],
    ['kmsg', undefined, { kind: 'kmsg' }],
    ['file', undefined, { kind: 'file' }],
    [undefined, '/a|/b', { kind: 'file', paths: ['/a', '/b'] }],
    ['file', ' /a ', { kind: 'file', paths: ['/a'] }],
  ]
  for (const [source, paths, request] of good)
    it(`take ${source ?? 'no source'} with ${paths ?? 'no paths'}`, () => {
      expect(parseRequest(source, paths)).to.deep.equal({ ok: true, request })
    })

  const bad: [string | undefined, string | undefined, number][] = [
    ['syslog', undefined, 1],
    [undefined, '', 1],
    [undefined, 'a|/b|', 2],
    ['kmsg', '/a', 1],
    ['nothing', 'a', 2],
  ]
  for (const [source, paths, problems] of bad)
    it(`refuse ${source ?? 'no source'} with ${JSON.stringify(paths)}, all mistakes at once`, () => {
      const parsed = parseRequest(source, paths)
      expect(parsed.ok ? [] : parsed.problems).to.have.length(problems)
    })
})

describe("printk's rate limit", () => {
  for (const [name, limited] of [
    [auditLog, false],
    [kernLog, true],
    ['/var/log/messages', true],
    ['/var/log/syslog', true],
    ['/var/log/kernaudit.log', false],
    ['/host/log/kern.log.1', true],
  ] as const)
    it(`${limited ? 'holds' : 'does not hold'} for ${name}`, () => {
      expect(isLimitedByPrintk({ kind: 'file', name })).to.equal(limited)
    })
})
