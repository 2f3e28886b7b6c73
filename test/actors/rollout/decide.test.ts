import { expect } from 'chai'
import fc from 'fast-check'
import type { Workload } from '../../../actors/ports.ts'
import { type Decision, decide, type Observation, situationOf } from '../../../actors/rollout/decide.ts'
import { idle, type Memory } from '../../../actors/rollout/memory.ts'
import { nothingFound, type Survey } from '../../../actors/rollout/survey.ts'
import { defaultRolloutSettings as settings, type WantedRollout } from '../../../actors/rollout.ts'
import { asWall } from '../../../src/base/clock.ts'

const NOW = Date.UTC(2026, 0, 1)

const wanted: WantedRollout = {
  change: 'create-1',
  since: NOW - 1_000,
  stamp: 0,
  removing: false,
  mode: 'AlwaysAllow',
  namespace: undefined,
  target: { kind: 'Deployment', selector: { matchLabels: { app: 'web' } } },
  profileName: 'varmor-demo-web',
  enforcers: ['AppArmor'],
}

function workload(namespace: string, name: string, paused = false): Workload {
  return {
    kind: 'Deployment',
    metadata: { namespace, name, uid: `${namespace}-${name}`, resourceVersion: '1' },
    spec: { paused, template: { spec: { containers: [{ name: 'main' }] } } },
  }
}

const surveyOf = (given: Partial<Survey>): Survey => ({ ...nothingFound(), ...given })
const rolling = (age: number, of = workload('a', 'busy')) => ({
  workload: of,
  since: NOW - age,
  missing: '0 of 1 pods',
})
const astray = (of: Workload) => ({
  workload: of,
  pods: { resourceVersion: '1', again: 0, outside: 2, names: ['x'] },
})
const want: Memory = { ...idle(), wanted }
const asked: Memory = { ...want, turn: { state: 'asked', namespace: 'a' }, turns: 1 }
const held: Memory = { ...want, turn: { state: 'held', namespace: 'a' } }
const granted: Memory = { ...asked, turn: { state: 'granted', namespace: 'a' } }
const web = workload('a', 'web')
const sleeping = workload('a', 'web', true)

/** Each situation, and the expected decision. `limiter` lists its calls, `progress` gives its state. */
const rows: [title: string, memory: Memory, survey: Partial<Survey>, expected: Record<string, unknown>][] = [
  ['nothing is wanted', idle(), {}, { is: 'nothing-wanted', limiter: ['done'], looks: false }],
  ['all is done', want, { finished: 2 }, { is: 'done', limiter: ['done'], progress: 'done', looks: false }],
  ['one waits', want, { waiting: [web] }, { is: 'in-need-of-a-turn', limiter: ['done', 'ask a'], progress: 'running' }],
  [
    'the pods of one are to be looked at',
    held,
    { waiting: [web], unseen: [web] },
    { is: 'pods-unseen', looksAt: 'web', looks: false },
  ],
  [
    'they could not be listed',
    { ...want, refused: 'no', retryAt: NOW + 1 },
    { unseen: [web] },
    { is: 'retrying-later', limiter: ['done'], progress: 'paused' },
  ],
  [
    'pods of one are not in the profile',
    held,
    { waiting: [web], astray: [astray(sleeping)] },
    { is: 'astray', limiter: ['done'], progress: 'paused' },
  ],
  [
    'old pods of one stay, and another one waits',
    want,
    { waiting: [web], held: [astray(sleeping)] },
    { is: 'in-need-of-a-turn', limiter: ['done', 'ask a'], progress: 'running' },
  ],
  [
    'old pods of one stay, and all else is done',
    want,
    { held: [astray(sleeping)], finished: 1 },
    { is: 'held', limiter: ['done'], progress: 'paused' },
  ],
  ['a turn was asked for', asked, { waiting: [web] }, { is: 'waiting-for-a-turn', progress: 'running' }],
  ['the turn came', granted, { waiting: [web] }, { is: 'our-turn', patches: 'web', looks: false }],
  [
    'the turn came for another namespace',
    granted,
    { waiting: [workload('b', 'web')] },
    { is: 'in-need-of-a-turn', limiter: ['done', 'ask b'], progress: 'running' },
  ],
  [
    'it came while one is on its way',
    granted,
    { waiting: [web], rolling: [rolling(1)] },
    { is: 'rolling', progress: 'running' },
  ],
  [
    'one is on its way from before',
    want,
    { rolling: [rolling(1)] },
    { is: 'rolling', limiter: ['resume a'], progress: 'running' },
  ],
  [
    'one is late',
    want,
    { waiting: [web], rolling: [rolling(settings.deadline + 1)] },
    { is: 'late', limiter: ['done'], progress: 'paused' },
  ],
  [
    'one is late, and another namespace waits',
    held,
    { waiting: [web, workload('b', 'web')], rolling: [rolling(settings.deadline + 1)] },
    { is: 'in-need-of-a-turn', limiter: ['done', 'ask b'], progress: 'running' },
  ],
  [
    'it goes wrong in three namespaces, and a fourth waits',
    want,
    {
      waiting: [workload('d', 'web')],
      rolling: [rolling(settings.deadline + 1), rolling(1, workload('b', 'busy'))],
      astray: [astray(workload('b', 'web')), astray(workload('c', 'web'))],
    },
    { is: 'late', limiter: ['done'], progress: 'paused' },
  ],
  ['all are paused', want, { waiting: [sleeping] }, { is: 'all-paused', limiter: ['done'], progress: 'paused' }],
  [
    'the API refused the last patch',
    { ...want, refused: 'no', retryAt: NOW + 1 },
    { waiting: [web] },
    { is: 'retrying-later', limiter: ['done'], progress: 'paused' },
  ],
]

const callText = (call: Decision['limiter'][number]): string =>
  call.do === 'done' ? 'done' : `${call.do} ${call.namespace}`

/** The state that the limiter keeps for this caller after these calls. */
function turnAfter(calls: Decision['limiter'], before: string): string {
  const states = { done: 'none', ask: 'asked', resume: 'held' } as const
  return calls.reduce((_, call) => states[call.do], before)
}

const workloads = fc
  .uniqueArray(
    fc.record({
      namespace: fc.constantFrom('a', 'b', 'd'),
      name: fc.constantFrom('u', 'v', 'w'),
      paused: fc.boolean(),
    }),
    { selector: ({ namespace, name }) => `${namespace}/${name}`, maxLength: 4 },
  )
  .map((all) => all.map(({ namespace, name, paused }) => workload(namespace, name, paused)))
const astrays = fc.array(
  fc.constantFrom('a', 'b', 'c').map((namespace) => astray(workload(namespace, 'v'))),
  { maxLength: 2 },
)
const surveys: fc.Arbitrary<Survey> = fc.record({
  waiting: workloads,
  unseen: fc.array(fc.constant(workload('a', 'u')), { maxLength: 1 }),
  astray: astrays,
  held: astrays,
  shadowed: fc.array(fc.constant({ workload: workload('a', 'u'), by: 'VarmorPolicy/a/first' }), { maxLength: 1 }),
  outlined: fc.array(fc.constant(workload('a', 'o')), { maxLength: 1 }),
  rolling: fc.array(
    fc
      .tuple(fc.nat(settings.deadline * 2), fc.constantFrom('a', 'b', 'c'))
      .map(([age, namespace]) => rolling(age, workload(namespace, 'busy'))),
    { maxLength: 3 },
  ),
  finished: fc.nat(3),
  started: fc.constant(new Map<string, number>()),
})
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('look' as const), survey: surveys }),
    fc.record({ do: fc.constant('grant' as const), survey: surveys, taken: fc.boolean() }),
    fc.record({ do: fc.constant('want' as const), survey: surveys, change: fc.constantFrom('x', 'y') }),
  ),
  { maxLength: 30 },
)

describe('decisions on restarts', () => {
  for (const [title, memory, survey, expected] of rows)
    it(title, () => {
      const seen: Observation = { now: NOW, wall: asWall(NOW), memory, survey: surveyOf(survey), settings }
      const { limiter, progress, patch, poll: look, lookIn } = decide(seen)
      expect({
        is: situationOf(seen).is,
        ...(limiter.length > 0 && { limiter: limiter.map(callText) }),
        ...(progress !== undefined && { progress: progress.state }),
        ...(patch !== undefined && { patches: patch.workload.metadata.name }),
        ...(look !== undefined && { looksAt: look.metadata.name }),
        ...(lookIn === undefined && { looks: false }),
      }).to.deep.equal(expected)
    })

  it('restart only what waits, one at a time and with a turn; never stop looking before the end; repeat nothing', () => {
    fc.assert(
      fc.property(steps, (plan) => {
        let memory: Memory = want
        // The limiter's state for this caller, derived only from this caller's calls.
        let turn = 'none'
        for (const step of plan) {
          if (step.do === 'want') {
            memory = { ...idle(memory.turns), wanted: { ...wanted, change: step.change } }
            turn = 'none'
          }
          if (step.do === 'grant' && memory.turn.state === 'asked') {
            memory = { ...memory, turn: { ...memory.turn, state: 'granted' } }
            turn = 'held'
          }
          const { survey } = step
          const decision = decide({ now: NOW, wall: asWall(NOW), memory, survey, settings })
          const { patch, poll: look, lookIn } = decision
          turn = turnAfter(decision.limiter, turn)
          expect(decision.memory.turn.state).to.equal(turn)
          if (patch !== undefined) {
            expect(turn).to.equal('held')
            const late = survey.rolling.filter(({ since }) => NOW - since > settings.deadline)
            const wrong = new Set([...late, ...survey.astray].map(({ workload }) => workload.metadata.namespace))
            const elsewhere = survey.rolling.filter(({ workload }) => !wrong.has(workload.metadata.namespace))
            expect([elsewhere, survey.unseen]).to.deep.equal([[], []])
            expect(wrong.size).to.be.at.most(2)
            expect(wrong).not.to.include(patch.workload.metadata.namespace)
            expect(survey.waiting).to.include(patch.workload)
            expect(patch.workload.spec.paused).to.equal(false)
            expect(memory.turn).to.deep.equal({ state: 'granted', namespace: patch.workload.metadata.namespace })
          } else if (look !== undefined) {
            expect(survey.unseen).to.include(look)
          } else {
            expect(lookIn !== undefined).to.equal(decision.memory.wanted !== undefined)
            const again = decide({ now: NOW, wall: asWall(NOW), memory: decision.memory, survey, settings })
            expect(again.progress, 'progress that is sent twice').to.equal(undefined)
            expect(again.limiter.filter((call) => call.do !== 'done')).to.deep.equal([])
            expect(again.memory).to.deep.equal(decision.memory)
          }
          memory = decision.memory
          if (patch !== undefined && step.do === 'grant' && !step.taken) {
            memory = { ...memory, turn: { state: 'none' }, refused: 'no', retryAt: NOW + 1 }
            turn = 'none'
          }
        }
      }),
    )
  })
})
