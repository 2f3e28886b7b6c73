import { expect } from 'chai'
import fc from 'fast-check'
import {
  checkReport,
  cutLeftOut,
  cutMessage,
  MAX_LEFT_OUT,
  MAX_REPORT_MESSAGE_BYTES,
} from '../../src/api/agent-report.ts'

const profile = { namespace: 'demo', name: 'varmor-demo-web', uid: 'u', generation: 3, state: 'loaded' }
const report = { node: 'n', agent: 'a', epoch: '', complete: true, profiles: [profile] }

describe('a report of an agent', () => {
  it('is taken as it is', () => {
    expect(checkReport(report)).to.deep.equal({ ok: true, report })
  })

  it('of a newer agent, with fields that we do not know, is taken', () => {
    expect(checkReport({ ...report, more: 1 }).ok).to.equal(true)
  })

  const rows: { title: string; body: unknown; paths: string[] }[] = [
    { title: 'no object', body: 'x', paths: [''] },
    { title: 'an empty one', body: {}, paths: ['node', 'agent', 'epoch', 'complete', 'profiles'] },
    {
      title: 'several mistakes',
      body: { ...report, node: 7, profiles: [{ ...profile, state: 'lost', generation: -1 }] },
      paths: ['node', 'profiles[0].generation', 'profiles[0].state'],
    },
    {
      title: 'a message that is too long',
      body: { ...report, profiles: [{ ...profile, message: 'ä'.repeat(600) }] },
      paths: ['profiles[0].message'],
    },
    {
      title: 'an enforcer that leaves out what has no name',
      body: { ...report, profiles: [{ ...profile, leftOut: [{ enforcer: 'SELinux', reason: '' }] }] },
      paths: ['profiles[0].leftOut[0].enforcer', 'profiles[0].leftOut[0].rule'],
    },
  ]
  for (const { title, body, paths } of rows)
    it(`names every mistake: ${title}`, () => {
      const result = checkReport(body)
      expect(result.ok ? [] : result.errors.map(({ path }) => path)).to.deep.equal(paths)
    })

  it('with very many mistakes does not get them all back', () => {
    const result = checkReport({ ...report, profiles: Array.from({ length: 5_000 }, () => 1) })
    expect(result.ok ? [] : result.errors).to.have.length(100)
  })

  it('with very many mistakes is not looked at further: each costs', () => {
    const never = new Proxy(profile, {
      ownKeys: () => {
        throw new Error('it was looked at')
      },
    })
    const result = checkReport({ ...report, profiles: [...Array.from({ length: 100 }, () => 1), never] })
    expect(result.ok ? [] : result.errors).to.have.length(100)
    expect(() => checkReport({ ...report, profiles: [1, never] })).to.throw('it was looked at')
  })

  it('has messages that fit, cut at a whole character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 2_000 }), (message) => {
        const cut = cutMessage(message)
        expect(Buffer.byteLength(cut)).to.be.at.most(MAX_REPORT_MESSAGE_BYTES)
        expect(Buffer.from(cut).toString()).to.equal(cut)
        if (cut !== message) expect(message.startsWith(cut.slice(0, -1))).to.equal(true)
      }),
    )
  })

  it('names what a node does not enforce, and says where there is more than it has room for', () => {
    const rules = (count: number) =>
      Array.from({ length: count }, (_, i) => ({
        enforcer: 'AppArmor' as const,
        rule: `${i}ä`.repeat(100),
        reason: 'ü'.repeat(300),
      }))
    for (const count of [0, 1, MAX_LEFT_OUT.rules, MAX_LEFT_OUT.rules + 1, 1_000]) {
      const leftOut = cutLeftOut(rules(count))
      expect(checkReport({ ...report, profiles: [{ ...profile, leftOut }] }).ok, `${count}`).to.equal(true)
      expect(leftOut).to.have.length(Math.min(count, MAX_LEFT_OUT.rules))
      expect(leftOut.at(-1)?.rule === '…').to.equal(count > MAX_LEFT_OUT.rules)
    }
  })
})
