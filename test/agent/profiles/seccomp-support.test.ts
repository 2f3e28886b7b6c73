import { expect } from 'chai'
import { Simulation } from '../../../actors/runtime/index.ts'
import { RuntimeError } from '../../../src/agent/containers/runtime.ts'
import { SeccompSupport } from '../../../src/agent/profiles/seccomp-support.ts'
import { noLogger } from '../../../src/base/logger.ts'
import type { SeccompReports } from '../../../src/profile/context.ts'

const taken: SeccompReports = { flags: ['SECCOMP_FILTER_FLAG_LOG'] }
const old: SeccompReports = { by: 'runc 1.1.5', why: 'it is old' }
const away = (code = 'UNAVAILABLE') => new RuntimeError(code, 'Status')

describe('what the runtimes of a node take in a seccomp profile', () => {
  let simulation: Simulation
  let answer: SeccompReports | Error | 'hangs'
  let asked: number
  let changes: SeccompReports[]
  let trouble: unknown[]
  let support: SeccompSupport
  const start = (runtime: ConstructorParameters<typeof SeccompSupport>[0]['runtime']): void => {
    support = new SeccompSupport({
      runtime,
      onChange: () => changes.push(support.now),
      clock: simulation.clock,
      logger: { ...noLogger, error: (fields: unknown) => trouble.push(fields) } as typeof noLogger,
    })
    support.start()
  }
  const seccompReports = async (): Promise<SeccompReports> => {
    asked++
    if (answer === 'hangs') return new Promise(() => undefined)
    if (answer instanceof Error) throw answer
    return answer
  }
  beforeEach(() => {
    simulation = new Simulation()
    answer = taken
    asked = 0
    changes = []
    trouble = []
  })

  it('is asked at the start and each minute, and changes are told once', async () => {
    start({ seccompReports })
    await support.known
    expect(support.now).to.equal(taken)
    await simulation.runFor(170_000)
    expect([asked, changes]).to.deep.equal([3, [taken]])
    answer = old
    await simulation.runFor(60_000)
    expect(changes).to.deep.equal([taken, old])
    await support.stop()
    await simulation.runFor(600_000)
    expect(asked).to.equal(4)
  })

  it('is asked again at once when the runtime may be another one, also while it is being asked', async () => {
    start({ seccompReports })
    support.ask()
    await simulation.runFor(1)
    expect(asked).to.equal(2)
    answer = old
    support.ask()
    await simulation.runFor(1)
    expect(changes).to.deep.equal([taken, old])
  })

  it('stays for five minutes while a runtime does not answer, which starts no containers; then it is nothing', async () => {
    start({ seccompReports })
    await support.known
    answer = away()
    await simulation.runFor(290_000)
    expect(support.now).to.equal(taken)
    answer = away('DEADLINE_EXCEEDED')
    await simulation.runFor(60_000)
    expect(support.now).to.deep.include({ by: 'the container runtime' })
    answer = taken
    await simulation.runFor(60_000)
    expect(changes).to.have.length(3)
    expect(support.now).to.equal(taken)
    expect(trouble).to.deep.equal([])
  })

  it('is nothing before the first answer, and profiles wait five seconds for that', async () => {
    answer = 'hangs'
    start({ seccompReports })
    let known = false
    void support.known.then(() => {
      known = true
    })
    await simulation.runFor(4_900)
    expect(known).to.equal(false)
    await simulation.runFor(200)
    expect(known).to.equal(true)
    expect(support.now).to.deep.include({ by: 'the container runtime' })
  })

  it('is nothing of a runtime that cannot be asked', async () => {
    start({})
    await support.known
    expect(support.now).to.have.property('why').that.contains('it cannot tell')
    expect(changes).to.deep.equal([])
  })

  it('is asked further after a mistake of the program, which is logged', async () => {
    answer = new TypeError('a mistake')
    start({ seccompReports })
    await support.known
    expect(trouble).to.have.length(1)
    answer = taken
    await simulation.runFor(61_000)
    expect(support.now).to.equal(taken)
  })
})
