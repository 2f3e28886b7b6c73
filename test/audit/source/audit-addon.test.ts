import { constants } from 'node:os'
import { expect } from 'chai'
import {
  type AuditAddon,
  explainOpenError,
  loadAuditAddon,
  readKernelLogNow,
} from '../../../src/audit/source/audit-addon.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'

const { E2BIG, EPROTONOSUPPORT, EPERM, EMFILE } = constants.errno

describe('a failed open in words', () => {
  const rows = [
    { step: 'socket', errno: EPROTONOSUPPORT, code: 'AUDIT_OFF' },
    { step: 'join', errno: EPERM, code: 'NOT_PERMITTED' },
    { step: 'socket', errno: EMFILE, code: 'SYSTEM' },
    { step: 'thread', errno: EPERM, code: 'SYSTEM' },
  ]
  for (const { step, errno, code } of rows)
    it(`${step} ${errno} is ${code}, and keeps its cause`, () => {
      const cause = Object.assign(new Error('as the system says'), { step, errno })
      const error = explainOpenError(cause)
      expect(error).to.be.instanceOf(AuditSourceError)
      expect(error).to.include({ code, cause })
    })

  it('says how many rules there may be where there are more', () => {
    const error = explainOpenError(Object.assign(new Error('too many'), { step: 'rules', errno: E2BIG }))
    expect(error).to.include({ code: 'SYSTEM' })
    expect((error as AuditSourceError).remedy).to.match(/exclude and user to 1,024$/)
  })

  it('leaves any other error alone', () => {
    const bug = new TypeError('a bug')
    expect(explainOpenError(bug)).to.equal(bug)
  })
})

describe('audit addon', () => {
  it('reads the log of the kernel, or says what that takes', () => {
    try {
      for (const line of readKernelLogNow().trimEnd().split('\n')) expect(line).to.match(/^<\d+>/)
    } catch (error) {
      expect(error).to.be.instanceOf(AuditSourceError).and.to.include({ code: 'NOT_PERMITTED' })
    }
  })

  const options = {
    batchBytes: 131_072,
    batches: 2,
    flushMs: 5,
    napMs: 1,
    sampleMs: 1_000,
    receiveBuffer: 0,
    backlogLimit: 0,
    feed: 0,
    types: Uint16Array.of(1326, 1326),
  }
  let addon: AuditAddon

  before(function () {
    try {
      addon = loadAuditAddon()
    } catch (error) {
      expect(error).to.include({ code: 'ADDON_MISSING' })
      this.skip()
    }
  })

  const wrong: Record<string, unknown[]> = {
    batchBytes: [131_071, 2 ** 32 + 131_072, Number.NaN, '131072', undefined],
    batches: [1, 1.5, 1e9],
    flushMs: [-1, Number.POSITIVE_INFINITY],
    napMs: [1_001],
    feed: [-1, 1.5],
    types: [Uint16Array.of(1), [1326, 1326], new Uint8Array(2), undefined],
  }
  for (const [name, values] of Object.entries(wrong))
    it(`refuses a wrong ${name}`, () => {
      for (const value of values) {
        const given = { ...options, [name]: value } as typeof options
        expect(() => addon.open(given, () => undefined), String(value)).to.throw(name)
      }
    })

  it('refuses what is none', () => {
    for (const thing of [undefined, null, {}, 1, new ArrayBuffer(8)])
      expect(() => addon.read(thing as never, new Uint8Array(8))).to.throw('not a producer of batches')
  })

  it('refuses to open without a function to wake', () => {
    expect(() => addon.open(options, undefined as never)).to.throw()
    expect(() => addon.open(undefined as never, () => undefined)).to.throw()
  })
})
