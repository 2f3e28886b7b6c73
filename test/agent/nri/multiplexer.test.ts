import { expect } from 'chai'
import fc from 'fast-check'
import { Demultiplexer, framesOf, maxFrame, maxWritten } from '../../../src/agent/nri/multiplexer.ts'
import { NriError } from '../../../src/agent/nri/nri-error.ts'
import { cut, places } from './cut.ts'

/** The output by connection, for bytes that arrive in these chunks. */
function taken(pieces: readonly Buffer[]): Record<number, string> {
  const parts: Record<number, Buffer[]> = { 1: [], 2: [] }
  const demultiplexer = new Demultiplexer()
  for (const piece of pieces)
    demultiplexer.push(piece, (connection, bytes) => void parts[connection]!.push(Buffer.from(bytes)))
  return Object.fromEntries(Object.entries(parts).map(([name, all]) => [name, Buffer.concat(all).toString('hex')]))
}

const header = (connection: number, length: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(connection, 0)
  bytes.writeUInt32BE(length, 4)
  return bytes
}

describe('the multiplexer of NRI', () => {
  it('writes the number of the connection and the length before the bytes', () => {
    expect(framesOf(2, Buffer.from('ab')).toString('hex')).to.equal('00000002000000026162')
  })

  it('gives each connection its bytes, wherever the stream is cut', () => {
    const message = fc.record({ connection: fc.constantFrom(1, 2), bytes: fc.uint8Array({ maxLength: 9_000 }) })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), places, (messages, cuts) => {
        const stream = Buffer.concat(messages.map(({ connection, bytes }) => framesOf(connection, Buffer.from(bytes))))
        const of = (wanted: number): string =>
          Buffer.concat(messages.filter(({ connection }) => connection === wanted).map(({ bytes }) => bytes)).toString(
            'hex',
          )
        expect(taken(cut(stream, cuts))).to.deep.equal({ 1: of(1), 2: of(2) })
      }),
    )
  })

  it('writes no frame that the reader at the other end has no room for', () => {
    const frames = framesOf(1, Buffer.alloc(3 * maxWritten + 1))
    const lengths: number[] = []
    for (let at = 0; at < frames.length; at += 8 + lengths.at(-1)!) lengths.push(frames.readUInt32BE(at + 4))
    expect(lengths).to.deep.equal([maxWritten, maxWritten, maxWritten, 1])
  })

  it('takes a frame without bytes, and one of the greatest length', () => {
    expect(taken([header(1, 0), framesOf(1, Buffer.from('a'))])[1]).to.equal('61')
    expect(taken([header(1, maxFrame)])[1]).to.equal('')
  })

  const wrong: { what: string; bytes: Buffer; says: string }[] = [
    { what: 'a frame that is too long', bytes: header(1, maxFrame + 1), says: 'the limit is' },
    { what: 'a frame of all bits', bytes: Buffer.alloc(8, 0xff), says: 'connection 4294967295' },
    { what: 'the connection that is reserved', bytes: header(0, 1), says: 'connection 0' },
    { what: 'a connection that was never opened', bytes: header(3, 1), says: 'connection 3' },
  ]
  for (const { what, bytes, says } of wrong)
    it(`refuses ${what}, however it is cut`, () => {
      fc.assert(
        fc.property(places, (cuts) => {
          expect(() => taken(cut(bytes, cuts))).to.throw(NriError, says)
        }),
      )
    })
})
