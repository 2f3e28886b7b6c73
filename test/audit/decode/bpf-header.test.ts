import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { eventHeader, largestRecord } from '../../../src/audit/decode/bpf-header.ts'
import { header, headerFields, recordKinds } from '../../../src/audit/decode/bpf-record.ts'
import { layOut } from '../../../src/base/c-struct.ts'

describe('the header of BPF records', () => {
  it('in C is the one that the table gives; run `npm run generate` when this fails', () => {
    const file = readFileSync(new URL('../../../native/bpf/varmor_event.h', import.meta.url), 'utf8')
    expect(file).to.equal(eventHeader())
  })

  it('keeps every field of 8 bytes on a multiple of 8, which BPF wants for aligned stores', () => {
    const wide = headerFields.filter(({ type }) => type === 'u64').map(({ name }) => header.at[name] % 8)
    expect(wide).to.deep.equal([0, 0])
    expect(header.size % 8).to.equal(0)
  })

  it('has a number of its own for each kind', () => {
    const numbers = Object.values(recordKinds).map(({ number }) => number)
    expect(new Set(numbers).size).to.equal(numbers.length)
    expect(Math.max(...numbers)).to.be.below(256)
  })

  it('names the size of the longest record', () => {
    const bodies = Object.values(recordKinds).map(({ body }) => layOut(body).size)
    expect(largestRecord()).to.equal(header.size + Math.max(...bodies) + 3 * 4096)
  })
})
