import { expect } from 'chai'
import { logFields } from '../../src/base/log-fields.ts'
import { noLogger } from '../../src/base/logger.ts'

describe('the fields of the log', () => {
  it("are none of pino's own", () => expect(logFields).to.not.have.any.keys('level', 'time', 'msg', 'pid', 'hostname'))

  it('are all that compiles, also where they are spread, in a variable, or there at times', () => {
    const known = { reason: 'it is away', file: '/a' }
    const other = { ...known, why: 'it is away' }
    const either: { reason: string } | { reason: string; why: string } = other
    noLogger.warn({ ...known, retryMs: 5 }, '')
    noLogger.warn({}, '')
    // @ts-expect-error why is no field
    noLogger.warn({ ...known, why: '' }, '')
    // @ts-expect-error
    noLogger.warn({ ...other, retryMs: 5 }, '')
    // @ts-expect-error
    noLogger.warn(other, '')
    // @ts-expect-error
    noLogger.warn(either as { reason: string } | { reason: string; why: string }, '')
    // @ts-expect-error
    noLogger.warn({ ...known, ...(known.file !== '' && { why: '' }) }, '')
  })
})
