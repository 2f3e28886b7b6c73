import { expect } from 'chai'
import fc from 'fast-check'
import { RecordTime } from '../../../src/audit/decode/record-time.ts'

const billion = 1_000_000_000n

describe('the time of a BPF record', () => {
  it('is exact to the nanosecond for four years of uptime, whatever the time of the boot', () => {
    const bootMs = fc.bigInt({ min: 0n, max: 4_000_000_000_000n })
    fc.assert(
      fc.property(bootMs, fc.bigInt({ min: 0n, max: 126_000_000n * billion }), (boot, uptime) => {
        const view = new DataView(new ArrayBuffer(8))
        view.setBigUint64(0, uptime, true)
        const time = new RecordTime()
        time.use(Number(boot) / 1000)
        time.read(view, 0)
        const sinceBoot = BigInt(time.uptime) * billion + BigInt(time.uptimeNs)
        expect(sinceBoot).to.equal(uptime)
        const [whole, rest] = [boot / 1000n, boot % 1000n]
        const epoch = BigInt(time.epoch) * billion + BigInt(time.epochNs)
        const error = epoch - (whole * billion + rest * 1_000_000n + uptime)
        // A double keeps only this precision in the fraction of so large a number.
        expect(Number(error)).to.be.within(-500, 500)
        expect(time.epochNs).to.be.within(0, 999_999_999)
      }),
    )
  })
})
