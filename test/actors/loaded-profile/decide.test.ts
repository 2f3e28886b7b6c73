import { expect } from 'chai'
import fc from 'fast-check'
import {
  conclude,
  goalsOf,
  type LoadedProfileTiming,
  type Memory,
  type Observation,
  type Outcome,
  profileOf,
  stepOf,
} from '../../../actors/loaded-profile/decide.ts'
import type { LoadFailure, WantedContent, WantedProfile } from '../../../actors/loaded-profile/ports.ts'
import type { KernelEnforcer } from '../../../src/api/enforcer.ts'

const enforcers = ['AppArmor', 'BPF', 'Seccomp'] as const
const timing: LoadedProfileTiming = { backoffFirst: 1_000, backoffLongest: 60_000, lasting: 600_000 }
const fresh: Memory = { failures: 0, hopeless: new Map(), untilLasting: false }

const content = fc.constantFrom('one', 'two').map((text): WantedContent => ({ content: text, digest: `of ${text}` }))
const contents = fc
  .record({ AppArmor: fc.option(content), BPF: fc.option(content), Seccomp: fc.option(content) }, { requiredKeys: [] })
  .map((of) => new Map(Object.entries(of).map(([name, given]) => [name as KernelEnforcer, given ?? undefined])))
const wantedProfile: fc.Arbitrary<WantedProfile> = fc
  .record({ leaving: fc.boolean(), contents, conflict: fc.option(fc.constant('the name is taken')) })
  .map(({ conflict, ...rest }) => ({
    uid: 'u',
    generation: 1,
    profile: 'varmor-demo-web',
    ...rest,
    ...(conflict !== null && { conflict }),
  }))
const hopeless = fc.constantFrom<Memory['hopeless']>(
  new Map(),
  new Map([['AppArmor', { digest: 'of one', reason: 'AppArmor: refused' }]]),
)
const observation: fc.Arbitrary<Observation> = fc
  .record({ wanted: fc.option(wantedProfile), wantedByOthers: fc.boolean(), used: fc.boolean(), hopeless })
  .map(({ wanted, wantedByOthers, used, hopeless }) => ({
    key: 'demo/varmor-demo-web',
    wanted: wanted ?? undefined,
    wantedByOthers,
    used,
    enforcers,
    memory: { ...fresh, hopeless },
  }))
const failure = (retryable: boolean): LoadFailure =>
  Object.assign(new Error('it failed'), { retryable, reason: 'it failed' })
const failures = fc.array(fc.constantFrom(undefined, failure(true), failure(false)), { minLength: 3, maxLength: 3 })

const outcomesOf = (seen: Observation, failed: readonly (LoadFailure | undefined)[]): Outcome[] =>
  goalsOf(seen).map((goal, i) => ({ goal, ...(failed[i] !== undefined && { failure: failed[i] }) }))

describe('decisions on a loaded profile', () => {
  it('give each enforcer at most one goal, and unload only unused profiles of no other ArmorProfile', () => {
    fc.assert(
      fc.property(observation, (seen) => {
        const goals = goalsOf(seen)
        expect(new Set(goals.map(({ enforcer }) => enforcer)).size).to.equal(goals.length)
        const isGone = seen.wanted === undefined || seen.wanted.leaving
        if (isGone)
          expect(goals.map(({ is }) => is)).to.deep.equal(
            seen.wantedByOthers ? [] : enforcers.map(() => (seen.used ? 'free' : 'absent')),
          )
        else if (seen.wanted?.conflict !== undefined) expect(goals).to.deep.equal([])
        expect(profileOf(seen)).to.equal('varmor-demo-web')
      }),
    )
  })

  it('take no step when the goal is reached', () => {
    const listed = fc.constantFrom(undefined, '', 'of one', 'of two', 'of all')
    fc.assert(
      fc.property(observation, listed, (seen, before) => {
        for (const goal of goalsOf(seen)) {
          const step = stepOf(goal, before, before === 'of all')
          const after =
            goal.is === 'loaded' && step === 'load'
              ? goal.content.digest
              : step === 'unload'
                ? undefined
                : step === 'free'
                  ? 'of all'
                  : before
          expect(stepOf(goal, after, after === 'of all')).to.equal('nothing')
        }
      }),
    )
  })

  it('report a profile as loaded only when each enforcer has reached its goal, and retry each failure', () => {
    fc.assert(
      fc.property(observation, failures, fc.double({ min: 0, max: 1, noNaN: true }), (seen, failed, random) => {
        const outcomes = outcomesOf(seen, failed)
        const { standing, forgotten, retry, memory } = conclude(seen, outcomes, timing, () => random)
        const isWhole = outcomes.every(
          ({ goal, failure }) => failure === undefined && ['loaded', 'absent', 'free'].includes(goal.is),
        )
        const inTheWay = seen.wanted !== undefined && !seen.wanted.leaving && seen.wanted.conflict !== undefined
        const isWell = isWhole && !inTheWay
        expect(retry === 'none').to.equal(isWell)
        expect(forgotten).to.equal(seen.wanted === undefined && isWell)
        expect(standing === undefined).to.equal(seen.wanted === undefined)
        if (standing !== undefined) expect(standing.state === 'failed').to.equal(!isWell)
        if (isWell) expect(memory).to.deep.equal(fresh)
        else if (memory.failures > 0) expect(retry).to.be.within(timing.backoffFirst / 2, timing.backoffFirst)
        else expect(retry).to.be.within(timing.lasting / 2, timing.lasting)
      }),
    )
  })

  it('do not load a refused profile again until its content changes', () => {
    const given = new Map([['AppArmor', { content: 'one', digest: 'of one' }] as const])
    const wanted = { uid: 'u', generation: 1, profile: 'varmor-demo-web', leaving: false, contents: given }
    const seen: Observation = {
      key: 'demo/p',
      wanted,
      wantedByOthers: false,
      used: false,
      enforcers: ['AppArmor'],
      memory: fresh,
    }
    const { memory } = conclude(seen, outcomesOf(seen, [failure(false)]), timing, () => 0)
    expect(goalsOf({ ...seen, memory }).map(({ is }) => is)).to.deep.equal(['refused'])
    // A check before the timer fires leaves the timer as it is.
    const between = conclude({ ...seen, memory }, outcomesOf({ ...seen, memory }, []), timing, () => 0)
    expect(between.retry).to.equal('as-set')
    const other = { ...wanted, contents: new Map([['AppArmor', { content: 'two', digest: 'of two' }] as const]) }
    expect(goalsOf({ ...seen, wanted: other, memory }).map(({ is }) => is)).to.deep.equal(['loaded'])
  })
})
