import { constants } from 'node:os'
import { expect } from 'chai'
import { openLineage } from '../../../src/agent/lineage.ts'
import { explainForkError } from '../../../src/audit/lineage/fork-addon.ts'
import { Forks } from '../../../src/audit/lineage/forks.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { noLogger } from '../../../src/base/logger.ts'

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
    it(`${step} ${errno} is ${code}: the agent goes on, and says so once`, () => {
      const cause = failure(step, errno)
      expect(explainForkError(cause)).to.be.instanceOf(AuditSourceError).and.include({ code, cause })
      const said: object[] = []
      const logger = { ...noLogger, warn: (context: object) => void said.push(context) }
      const open = (): never => {
        throw explainForkError(cause)
      }
      expect(openLineage(logger, '/proc', open)).to.deep.equal({ off: code })
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
