import { expect } from 'chai'
import { stopAll } from '../../../src/agent/lifecycle/shutdown.ts'
import { noLogger } from '../../../src/base/logger.ts'

describe('the end of an agent', () => {
  const ended: string[] = []
  const logged: object[] = []
  const logger = { ...noLogger, warn: (fields: object) => void logged.push(fields) }
  beforeEach(() => {
    ended.length = 0
    logged.length = 0
  })
  const ends =
    (part: string, error?: Error, later = false) =>
    async (): Promise<void> => {
      if (later) await new Promise((done) => setImmediate(done))
      ended.push(part)
      if (error !== undefined) throw error
    }

  it('comes to one part after the other', async () => {
    const stopping: string[] = []
    const parts = { a: ends('a', undefined, true), b: ends('b') }
    await stopAll(parts, logger, (part) => void stopping.push(`${part} after ${ended.length}`))
    expect([stopping, ended, logged]).to.deep.equal([['a after 0', 'b after 1'], ['a', 'b'], []])
  })

  it('comes to all of them though some fail, as what was read of violations is to be written, and says why', async () => {
    const [first, second] = [new Error('no file'), new Error('no room')]
    const atOnce = (): never => {
      throw second
    }
    const parts = { profiles: ends('profiles', first, true), rings: atOnce, violations: ends('violations') }
    const error: unknown = await stopAll(parts, logger).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).to.equal(first)
    expect(ended).to.deep.equal(['profiles', 'violations'])
    expect(logged).to.deep.equal([
      { where: 'profiles', err: first },
      { where: 'rings', err: second },
    ])
  })
})
