import { constants } from 'node:os'
import { expect } from 'chai'
import { Lineage } from '../../../src/agent/violations/lineage.ts'
import { explainForkError, loadForkAddon } from '../../../src/audit/lineage/fork-addon.ts'
import { Forks } from '../../../src/audit/lineage/forks.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { ManualClock } from '../manual-clock.ts'

const { EPROTONOSUPPORT, EPERM, ECONNREFUSED, ETIMEDOUT, EMFILE } = constants.errno
const failure = (step: string, errno: number): Error => Object.assign(new Error('as the system says'), { step, errno })

describe('forks that cannot be followed', () => {
  const rows = [
    { step: 'socket', errno: EPROTONOSUPPORT, code: 'NO_CONNECTOR' },
    { step: 'bind', errno: EPERM, code: 'NOT_PERMITTED' },
    { step: 'listen', errno: EPERM, code: 'NOT_PERMITTED' },
    { step: 'answer', errno: EPERM, code: 'NOT_PERMITTED' },
    { step: 'listen', errno: ECONNREFUSED, code: 'WRONG_NETWORK' },
    { step: 'answer', errno: ETIMEDOUT, code: 'WRONG_PROCESSES' },
    { step: 'socket', errno: EMFILE, code: 'SYSTEM' },
    { step: 'thread', errno: EPERM, code: 'SYSTEM' },
  ] as const
  for (const { step, errno, code } of rows)
    it(`${step} ${errno} is ${code}: the agent goes on, and says so once`, async () => {
      const cause = failure(step, errno)
      expect(explainForkError(cause)).to.be.instanceOf(AuditSourceError).and.include({ code, cause })
      const said: object[] = []
      const logger = { ...noLogger, warn: (context: object) => void said.push(context) }
      const open = (): never => {
        throw explainForkError(cause)
      }
      const clock = new ManualClock()
      const lineage = new Lineage({ logger, open, clock })
      await lineage.start()
      expect(lineage.status).to.deep.equal({ off: code, restarts: 0 })
      // A resource that the machine lacks now may be free later.
      expect(clock.waiting).to.equal(code === 'SYSTEM' ? 1 : 0)
      await clock.advance(100_000)
      lineage.close()
      expect(clock.waiting).to.equal(0)
      expect(said).to.have.length(1)
      expect(said[0]).to.include({ code }).and.have.property('remedy')
    })

  it('leave any other error alone', () => {
    const bug = new TypeError('a bug')
    expect(explainForkError(bug)).to.equal(bug)
    const addon = {
      openForks: () => {
        throw bug
      },
    }
    expect(() => Forks.open({}, addon as never)).to.throw(bug)
  })
})

describe('numbers for the fork tree', () => {
  it('are refused where they are not whole, and not cut', function () {
    let addon: ReturnType<typeof loadForkAddon>
    try {
      addon = loadForkAddon()
    } catch {
      this.skip()
    }
    for (const number of [1.5, Number.NaN, Number.POSITIVE_INFINITY, -1, 2 ** 53]) {
      const whole = number as never
      expect(() => addon.livingFork(whole, 1), `tree ${number}`).to.throw()
      expect(() => addon.livingFork(1 as never, number), `pid ${number}`).to.throw()
      expect(() => addon.barFork(1 as never, number), `key ${number}`).to.throw()
    }
  })
})
