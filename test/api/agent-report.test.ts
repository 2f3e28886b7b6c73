import { expect } from 'chai'
import fc from 'fast-check'
import { checkReport, cutMessage, MAX_REPORT_MESSAGE_BYTES } from '../../src/api/agent-report.ts'

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
})
