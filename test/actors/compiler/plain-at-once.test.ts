import { expect } from 'chai'
import { InlineCompiler } from '../../../actors/compiler/inline-compiler.ts'
import type { CompilerJobs } from '../../../actors/compiler/jobs.ts'
import type { Compilers } from '../../../actors/compiler/ports.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { policy } from '../../manager/made-up.ts'

const options = { installNamespace: 'varmor', egressControl: { pods: false, services: false } }
const raw = policy({ mode: 'EnhanceProtect', spec: { enhanceProtect: { appArmorRawRules: [{ rules: 'file,' }] } } })

/** Compilers whose clock advances only with their work, and that record their calls. */
function compilersOf({ cost = 1, fails = false, isThere = true } = {}) {
  const did = { here: 0, elsewhere: [] as string[], loads: 0, outcomes: [] as string[], errors: 0 }
  let now = 1_000_000
  const judgePolicy = (object: unknown) => {
    did.here++
    now += cost
    if (fails) throw new RangeError(`a bug over ${object}`)
    return { errors: [], count: 0, skipped: ['here'] }
  }
  const others: Compilers = {
    async run(name) {
      did.elsewhere.push(name)
      return { errors: [], count: 0, skipped: ['elsewhere'] } as never
    },
  }
  const compilers = new InlineCompiler({
    others,
    jobs: async () => {
      did.loads++
      if (!isThere) throw new Error('no such file')
      return { judgePolicy } as unknown as CompilerJobs
    },
    clock: { ...systemClock, now: () => now, after: () => expect.fail('nothing waits') },
    logger: { error: () => void did.errors++ },
    observe: (outcome) => did.outcomes.push(outcome),
  })
  const judge = async (object: unknown): Promise<string | undefined> =>
    (await compilers.run('judgePolicy', [object, undefined, options], { tenant: '', urgent: true, subject: '' }))
      .skipped[0]
  const pass = (milliseconds: number): void => {
    now += milliseconds
  }
  return { did, judge, pass }
}

describe('policies that are compiled at once', () => {
  it('are the plain policies; threads compile all other policies', async () => {
    const { did, judge } = compilersOf()
    expect(await judge(raw)).to.equal('elsewhere')
    expect(did.loads, 'nothing is loaded for it').to.equal(0)
    expect(await Promise.all([judge(policy()), judge(policy()), judge(raw)])).to.deep.equal([
      'here',
      'here',
      'elsewhere',
    ])
    expect(did).to.deep.equal({
      here: 2,
      elsewhere: ['judgePolicy', 'judgePolicy'],
      loads: 1,
      outcomes: ['done', 'done'],
      errors: 0,
    })
  })

  it('are compiled by threads if this fails here, and the log says so once', async () => {
    const { did, judge } = compilersOf({ isThere: false })
    expect(await Promise.all([judge(policy()), judge(policy())])).to.deep.equal(['elsewhere', 'elsewhere'])
    expect(await judge(policy())).to.equal('elsewhere')
    expect(did).to.include({ here: 0, loads: 1, errors: 1 })
  })

  for (const cost of [0.25, 1, 20, 3_000])
    it(`take at most a quarter of the thread’s time when each policy takes ${cost} ms`, async () => {
      const { did, judge, pass } = compilersOf({ cost })
      // Compiles for a minute, one policy after another; policies that arrive at the same time are compiled together.
      let passed = 0
      while (passed < 60_000) {
        const before = did.here
        await Promise.all(Array.from({ length: 40 }, () => judge(policy())))
        const worked = (did.here - before) * cost
        pass(10)
        passed += 10 + worked
        expect(worked, 'without a pause').to.be.at.most(Math.min(40 * cost, (250 + cost) / 0.75))
      }
      expect(did.here * cost).to.be.at.most(250 + passed / 4 + cost)
      if (cost > 1) expect(did.elsewhere).not.to.deep.equal([])
    })

  it('pass on the error that a job throws', async () => {
    const { did, judge } = compilersOf({ fails: true })
    let thrown: unknown
    await judge(policy()).catch((error: unknown) => {
      thrown = error
    })
    expect(thrown).to.be.instanceOf(RangeError)
    expect(did.outcomes).to.deep.equal(['failed'])
  })
})
