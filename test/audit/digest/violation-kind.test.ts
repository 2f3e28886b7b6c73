import { expect } from 'chai'
import fc from 'fast-check'
import { appArmorLine, bpfRecord, random, seccompLine } from '../../../bench/audit/made-up.ts'
import { mutate } from '../../../bench/audit/mutate.ts'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { identityOf, kindOfKey, readLine, type ViolationKind } from '../../../src/audit/digest/violation-kind.ts'
import { bytesOf, demoPid, fixtures, knowing, run } from '../harness.ts'

/** The kinds of one record: from the decoder's keys if it gives them, and from the lines. */
function kindsOf(format: BatchFormat, record: string | Uint8Array, scratch = new Scratch({ kinds: 'counts' })) {
  const bytes = typeof record === 'string' ? bytesOf(record) : record
  const { output, kinds = [] } = run(format, bytes, { final: true }, scratch)
  return kinds.flatMap(({ start, counts }) =>
    counts.keys.map((key, row) => ({
      ofKey: kindOfKey(key),
      ofLine: readLine(output, start + counts.lines[row]!).kind,
    })),
  )
}

const denial = (fields: string): string =>
  `type=1400 audit(1740381264.123:42): apparmor="DENIED" ${fields} class="file" profile="varmor-demo-demo-1" pid=${demoPid} comm="cat"\n`

describe('what a digest tells violations apart by', () => {
  const cases: { what: string; fields: string; fast: boolean; operation: string; object: string }[] = [
    { what: 'a file', fields: 'operation="open" name="/a b"', fast: true, operation: 'open', object: '/a b' },
    { what: 'a capability', fields: 'operation="capable" capname="x"', fast: true, operation: 'capable', object: 'x' },
    { what: 'no name', fields: 'operation="mount"', fast: true, operation: 'mount', object: '' },
    { what: 'a name in hex', fields: 'operation="open" name=2F612062', fast: false, operation: 'open', object: '/a b' },
    { what: 'a backslash', fields: 'operation="open" name="\\5c"', fast: false, operation: 'open', object: '\\5c' },
    { what: 'no word', fields: 'operation=6162 name="/a"', fast: false, operation: '6162', object: '/a' },
    {
      what: 'two names',
      fields: 'operation="link" name="/a" target="/b"',
      fast: false,
      operation: 'link',
      object: '/a /b',
    },
  ]
  for (const { what, fields, fast, operation, object } of cases)
    it(`is in the key, or only in the line: ${what}`, () => {
      const [only, ...others] = kindsOf('netlink', denial(fields))
      expect(others).to.deep.equal([])
      expect(only!.ofLine).to.include({ enforcer: 'AppArmor', action: 'DENIED', profileName: 'varmor-demo-demo-1' })
      expect(only!.ofLine).to.include({ operation, object })
      expect(only!.ofKey).to.deep.equal(fast ? only!.ofLine : undefined)
    })

  it('is the same in both, whatever the record and however it was decoded', () => {
    const next = random(17)
    const seeds = [...fixtures('apparmor'), ...fixtures('seccomp')]
    const makers: (() => [BatchFormat, string | Uint8Array])[] = [
      () => ['netlink', appArmorLine(next, 1, { containers: 3, classes: true })],
      () => ['netlink', seccompLine(next, 1, { containers: 3, classes: true })],
      () => ['record', bpfRecord(next, 1, { containers: 3, classes: true })],
      () => {
        const { format, line } = seeds[Math.floor(next() * seeds.length)]!
        return [format, `${line}\n`]
      },
    ]
    const known = knowing({ kinds: 'counts' })
    let [fast, slow] = [0, 0]
    for (let round = 0; round < 6_000; round++) {
      const [format, made] = makers[Math.floor(next() * makers.length)]!()
      const record = next() < 0.7 ? mutate(typeof made === 'string' ? bytesOf(made) : made, next) : made
      for (const { ofKey, ofLine } of kindsOf(format, record, next() < 0.5 ? known : undefined)) {
        if (ofKey === undefined) slow++
        else {
          fast++
          expect(ofKey).to.deep.equal(ofLine)
        }
      }
    }
    expect(fast, 'kinds in keys').to.be.above(500)
    expect(slow, 'kinds in lines only').to.be.above(500)
  })

  it('is one text for each kind, whatever stands in it', () => {
    const text = fc.stringMatching(/^[ 0-9a]{0,4}$/)
    const kind = fc.record({ enforcer: text, action: text, profileName: text, operation: text, object: text })
    const plain = (one: ViolationKind): string => JSON.stringify(Object.entries(one).sort())
    fc.assert(
      fc.property(kind, kind, (one, other) => {
        expect(identityOf(one) === identityOf(other)).to.equal(plain(one) === plain(other))
      }),
      { numRuns: 2_000 },
    )
  })
})
