import { expect } from 'chai'
import fc from 'fast-check'
import { encodeFrame, type Frame, FrameReader, spawnPayload } from './frames.ts'

const frames = (): fc.Arbitrary<Frame[]> =>
  fc.array(
    fc.record({
      type: fc.constantFrom('S', 'I', '1', 'X'),
      id: fc.nat(),
      payload: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
    }),
  )

describe('frames between host and guest', () => {
  it('are the same wherever the stream of bytes is cut', () => {
    fc.assert(
      fc.property(frames(), fc.array(fc.nat({ max: 40 })), (sent, cuts) => {
        let rest = Buffer.concat(sent.map(({ type, id, payload }) => encodeFrame(type, id, payload)))
        const reader = new FrameReader()
        const got: Frame[] = []
        for (const cut of [...cuts, rest.length]) {
          got.push(...reader.take(Buffer.from(rest.subarray(0, cut))))
          rest = rest.subarray(cut)
        }
        got.push(...reader.take(rest))
        expect(got).to.deep.equal(sent)
      }),
    )
  })

  it('refuse an argument that would end another', () => {
    expect(() => spawnPayload(['echo', 'a\0b'], '/', {})).to.throw('a zero byte in "a\\u0000b"')
  })
})
