import { expect } from 'chai'
import fc from 'fast-check'
import { CompilerError, tooCostly } from '../../../actors/compiler/ports.ts'
import { decide } from '../../../actors/policy/decide.ts'
import type { Decision, Effect } from '../../../actors/policy/decision.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import { freshMemory } from '../../../actors/policy/memory.ts'
import type { NodesObserved, Observation } from '../../../actors/policy/observation.ts'
import { isToGo, POLICY_FINALIZER, type Situation, situationOf } from '../../../actors/policy/situation.ts'
import type { AnyPolicy } from '../../../actors/ports.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { asWall } from '../../../src/base/clock.ts'
import {
  NOW,
  nodesOf,
  observationOf,
  observations,
  policyOf,
  profileOf,
  settings,
  withCompiled,
  withSettled,
} from './observations.ts'
import { converge } from './willing-server.ts'
import { policySpec } from './world.ts'

const deletionTimestamp = new Date(NOW).toISOString()
const deleted = policyOf({ deletionTimestamp })
const restarting = policyOf({}, { spec: policySpec({ updateExistingWorkloads: true }) })
const invalid = policyOf({}, { spec: policySpec({ rules: ['no-such-rule'] }) })
const onNode = { nodes: ['n1'], count: 1 }

const statusOf = ({ effect }: Decision) => (effect?.type === 'write-policy-status' ? effect.status : undefined)
const ready = (decision: Decision) => statusOf(decision)?.conditions?.find(({ type }) => type === 'Ready')

/** The policy's ArmorProfile, with an up-to-date status. */
const shown = (loaded: number, policy = policyOf()): ArmorProfile => ({
  ...profileOf(policy),
  status: { desiredNumberLoaded: 2, currentNumberLoaded: loaded, observedGeneration: 1 },
})
const waitingFor = (rest: Partial<NodesObserved>): NodesObserved =>
  nodesOf({
    summary: { desired: 2, loaded: 1, failed: rest.failures?.length ?? 0, blocking: 1 },
    ...rest,
  })
/** The profile's status was written just now, so the next status write has to wait. */
const recentlyShown = (profile: ArmorProfile): Partial<Observation> => ({
  profile,
  memory: { ...freshMemory(), profilePace: { at: NOW, changes: 0 } },
})
const started: AnyPolicy = (() => {
  const seen = withSettled(observationOf({ policy: restarting, profile: shown(2, restarting) }))
  return { ...restarting, status: statusOf(decide(seen))! }
})()

const modeled: AnyPolicy['spec'] = {
  ...policySpec(),
  policy: { enforcer: 'AppArmor', mode: 'BehaviorModeling', modelingOptions: { duration: 1 } },
}
/** The policy's ArmorProfile, created a minute ago. */
function modeledProfile(): ArmorProfile['spec'] {
  const policy = policyOf({}, { spec: modeled })
  const options = {
    installNamespace: 'varmor',
    profileName: 'varmor-demo-web',
    modeling: { state: 'complete', began: asWall(0) },
  } as const
  const desired = desiredProfile(policy, options)
  if (!desired.ok) throw new Error(JSON.stringify(desired.errors))
  return desired.document.spec
}

interface Row {
  title: string
  seen: Partial<Observation>
  prepared?: (seen: Observation) => Observation
  effect: Effect['type'] | 'none'
  also?: (decision: Decision) => void
}

const waitsFor = (text: string) => (decision: Decision) => {
  expect(ready(decision)?.message).to.contain(text)
  expect(decision.timers).to.have.property('removal')
}

/** Every situation, and the actions that follow. */
const table: Record<Situation['is'], Row[]> = {
  'actor failed': [
    {
      title: 'says so',
      seen: { policy: policyOf(), memory: freshMemory('TypeError: a bug') },
      effect: 'write-policy-status',
      also: (decision) => {
        expect(ready(decision)).to.deep.include({ reason: 'ActorFailed', message: 'TypeError: a bug' })
        expect(decision.memory.failure).to.equal('')
      },
    },
  ],
  gone: [
    {
      title: 'ends',
      seen: {},
      effect: 'none',
      also: ({ ended, rollout }) =>
        expect({ ended, rollout }).to.deep.equal({ ended: true, rollout: { type: 'unwanted' } }),
    },
    {
      title: 'leaves the profile of another policy',
      seen: { profile: { ...profileOf(policyOf({ name: 'other' })) } },
      effect: 'none',
      also: ({ ended }) => expect(ended).to.equal(true),
    },
    {
      title: 'leaves a policy with finalizers of other clients',
      seen: { policy: policyOf({ deletionTimestamp, finalizers: ['other'] }) },
      effect: 'none',
      also: ({ ended }) => expect(ended).to.equal(true),
    },
  ],
  'gone, still shown': [
    {
      title: 'waits for the watch, and does not release the policy again',
      seen: { policy: policyOf({ uid: 'let-go', deletionTimestamp }), memory: { ...freshMemory(), gone: 'let-go' } },
      effect: 'none',
      also: ({ ended }) => expect(ended).to.equal(false),
    },
  ],
  'not kept': [
    {
      title: 'leaves the profile, and checks again',
      seen: { isUnkept: true, profile: profileOf(policyOf()) },
      effect: 'none',
      also: ({ ended, timers }) => expect([ended, timers.removal]).to.deep.equal([false, settings.maxInterval]),
    },
  ],
  'gone, profile left': [
    { title: 'deletes the profile', seen: { profile: profileOf(policyOf()) }, effect: 'delete-profile' },
    {
      title: 'waits for nodes',
      seen: { profile: profileOf(policyOf(), { deletionTimestamp }), nodes: nodesOf({ holders: onNode }) },
      effect: 'none',
      also: ({ timers, ended }) => {
        expect(timers).to.have.property('removal')
        expect(ended).to.equal(false)
      },
    },
  ],
  deleted: [
    {
      title: 'releases the policy, and leaves finalizers of other clients',
      seen: { policy: policyOf({ deletionTimestamp, finalizers: ['other', POLICY_FINALIZER] }) },
      effect: 'set-policy-finalizers',
      also: ({ effect }) => expect(effect).to.deep.include({ finalizers: ['other'] }),
    },
  ],
  'deleted, profile left': [
    { title: 'deletes the profile', seen: { policy: deleted, profile: profileOf(deleted) }, effect: 'delete-profile' },
    {
      title: 'first restarts workloads without the profile',
      seen: { policy: policyOf({ deletionTimestamp }, { spec: restarting.spec }), profile: profileOf(restarting) },
      effect: 'write-policy-status',
      also: (decision) => {
        expect(ready(decision)?.message).to.contain('restarting workloads without the profile')
        expect(decision.rollout).to.deep.include({ type: 'wanted' })
      },
    },
    {
      title: 'names the node that it waits for',
      seen: {
        policy: deleted,
        profile: profileOf(deleted, { deletionTimestamp }),
        nodes: nodesOf({ holders: onNode }),
      },
      effect: 'write-policy-status',
      also: waitsFor('n1'),
    },
    {
      title: 'releases the profile when no node has it',
      seen: { policy: deleted, profile: profileOf(deleted, { deletionTimestamp }) },
      effect: 'release-profile',
    },
  ],
  'not held': [
    {
      title: 'adds the finalizer',
      seen: { policy: policyOf({ finalizers: ['other'] }) },
      effect: 'set-policy-finalizers',
    },
  ],
  'profile unusable': [
    {
      title: 'removes the profile of an earlier policy, without a restart',
      seen: { policy: policyOf({ uid: 'u2' }, { spec: restarting.spec }), profile: profileOf(restarting) },
      effect: 'delete-profile',
    },
    {
      title: 'waits for the end of a profile that a user deleted',
      seen: {
        policy: policyOf(),
        profile: profileOf(policyOf(), { deletionTimestamp }),
        nodes: nodesOf({ holders: onNode }),
      },
      effect: 'write-policy-status',
      also: waitsFor('a new one is created afterwards: waiting for nodes to unload the profile: n1'),
    },
  ],
  'not compiled': [{ title: 'compiles', seen: { policy: policyOf() }, effect: 'compile' }],
  'profile differs': [
    { title: 'creates the profile', seen: { policy: policyOf() }, prepared: withCompiled, effect: 'apply-profile' },
    {
      title: 'changes the profile',
      seen: {
        policy: policyOf({}, { spec: policySpec({ rules: ['disallow-umount'] }) }),
        profile: profileOf(policyOf()),
      },
      prepared: withCompiled,
      effect: 'apply-profile',
    },
  ],
  'change forbidden': [
    {
      title: 'leaves the profile, and says what is forbidden',
      seen: { policy: policyOf({}, { spec: policySpec({ enforcer: 'BPF' }) }), profile: profileOf(policyOf()) },
      prepared: withCompiled,
      effect: 'write-profile-status',
      also: ({ events, memory }) => {
        expect(events.map(({ reason }) => reason)).to.deep.equal(['ProfileRefused'])
        expect(memory.settled?.verdict).to.deep.include({ kind: 'forbidden' })
      },
    },
  ],
  invalid: [
    {
      title: 'says what is wrong',
      seen: { policy: invalid },
      prepared: withCompiled,
      effect: 'write-policy-status',
      also: (decision) => {
        expect(statusOf(decision)).to.deep.include({ phase: 'Error', ready: false })
        expect(decision.counts).to.deep.equal(['policy-refused'])
        expect(decision.memory.settled?.until).to.equal(Number.POSITIVE_INFINITY)
      },
    },
    {
      title: 'says that the policy takes too long, and compiles it again much later',
      seen: { policy: policyOf() },
      prepared: (seen) => {
        const prepared = withCompiled(seen)
        const { of } = prepared.memory.compiled!
        const desired = {
          ok: false,
          errors: [tooCostly(new CompilerError('TOO_COSTLY', 'it takes too long'))],
        } as const
        return { ...prepared, memory: { ...prepared.memory, compiled: { of, desired } } }
      },
      effect: 'write-policy-status',
      also: (decision) => {
        expect(ready(decision)).to.include({ reason: 'TOO_COSTLY' })
        expect(decision.memory.settled?.until).to.equal(NOW + settings.tooCostlyInterval)
      },
    },
  ],
  'in force': [
    {
      title: 'shows what nodes report',
      seen: { policy: policyOf(), profile: profileOf(policyOf()) },
      prepared: withCompiled,
      effect: 'write-profile-status',
    },
  ],
  settled: [
    {
      title: 'waits for nodes, and names those that are silent',
      seen: { policy: policyOf(), nodes: waitingFor({ silent: onNode }), ...recentlyShown(shown(1)) },
      prepared: withSettled,
      effect: 'write-policy-status',
      also: (decision) => {
        expect(ready(decision)).to.deep.include({ status: 'False', reason: 'NotReported' })
        expect(decision.timers).to.have.property('silence')
      },
    },
    {
      title: 'names nodes that failed',
      seen: {
        policy: policyOf(),
        profile: profileOf(policyOf()),
        nodes: waitingFor({ failures: [{ node: 'n1', message: 'no room' }] }),
      },
      prepared: withSettled,
      effect: 'write-profile-status',
      also: ({ events }) => expect(events.map(({ reason }) => reason)).to.deep.equal(['NodeFailed']),
    },
    {
      title: 'is ready when all nodes have the profile',
      seen: { policy: policyOf(), profile: shown(2) },
      prepared: withSettled,
      effect: 'write-policy-status',
      also: (decision) => expect(statusOf(decision)).to.deep.include({ phase: 'Protecting', ready: true }),
    },
    {
      title: 'names nodes without an agent where pods of the policy can land',
      seen: { policy: policyOf(), profile: shown(2), nodes: nodesOf({ uncovered: { nodes: ['b1', 'b2'], count: 7 } }) },
      prepared: withSettled,
      effect: 'write-policy-status',
      also: (decision) => {
        expect(ready(decision)).to.deep.include({
          status: 'True',
          reason: 'PartlyEnforced',
          message: 'no agent runs on b1, b2 and 5 more, where pods of the target can be scheduled',
        })
        expect(statusOf(decision)?.summary).to.equal('Protecting, no agent on 7 nodes')
      },
    },
    {
      title: 'completes a modelling that gave a model',
      seen: {
        policy: policyOf({}, { spec: modeled }),
        profile: { ...shown(2, policyOf({}, { spec: modeled })), spec: modeledProfile() },
        model: { version: '1', ready: true, model: {} },
      },
      prepared: withSettled,
      effect: 'write-policy-status',
      also: (decision) => expect(statusOf(decision)).to.deep.include({ phase: 'Completed', ready: true }),
    },
    ...[
      { silent: { nodes: ['n2'], count: 1 }, summary: { desired: 2, loaded: 1, failed: 0, blocking: 1 } },
      { failures: [{ node: 'n2', message: 'no' }], summary: { desired: 2, loaded: 1, failed: 1, blocking: 1 } },
    ].map((nodes) => ({
      title: 'completes a modelling although a node is down or fails, so that users can change the policy',
      seen: {
        policy: policyOf({}, { spec: modeled }),
        ...recentlyShown({ ...shown(1, policyOf({}, { spec: modeled })), spec: modeledProfile() }),
        nodes: nodesOf(nodes),
        model: { version: '1', ready: true, model: {} },
      },
      prepared: withSettled,
      effect: 'write-policy-status' as const,
      also: (decision: Decision) => {
        expect(statusOf(decision)).to.deep.include({ phase: 'Completed', ready: false })
        expect(ready(decision)?.message).to.contain('n2')
      },
    })),
    {
      title: 'names rules that only some nodes leave out',
      seen: {
        policy: policyOf({}, { spec: policySpec({ enforcer: 'AppArmorSeccomp' }) }),
        profile: shown(2, policyOf({}, { spec: policySpec({ enforcer: 'AppArmorSeccomp' }) })),
        nodes: nodesOf({
          leavingOut: [
            { leftOut: 'AppArmor: disallow-mount\nSeccomp: disallow-mount', nodes: ['n1', 'n2'], count: 4 },
            { leftOut: 'Seccomp: disallow-mount', nodes: ['n5'], count: 1 },
          ],
        }),
      },
      prepared: withSettled,
      effect: 'write-policy-status',
      also: (decision) =>
        expect(ready(decision)?.message).to.contain('left out on n1, n2 and 2 more by AppArmor: disallow-mount'),
    },
    {
      title: 'says that no node has an agent',
      seen: {
        policy: policyOf(),
        profile: { ...shown(0), status: { desiredNumberLoaded: 0, currentNumberLoaded: 0, observedGeneration: 1 } },
        nodes: nodesOf({ summary: { desired: 0, loaded: 0, failed: 0, blocking: 0 } }),
      },
      prepared: withSettled,
      effect: 'write-policy-status',
      also: (decision) => expect(ready(decision)).to.deep.include({ status: 'False', reason: 'NoAgents' }),
    },
    {
      title: 'does not restart workloads before all nodes have the profile',
      seen: {
        policy: {
          ...started,
          status: { ...started.status!, restart: { change: 'create-before', since: '', done: true } },
        },
        profile: shown(1, restarting),
        nodes: waitingFor({ blockers: ['n1'] }),
      },
      prepared: withSettled,
      effect: 'write-policy-status',
      also: (decision) => {
        expect(statusOf(decision)).not.to.have.property('restart')
        expect(statusOf(decision)?.conditions?.at(-1)).to.deep.include({ reason: 'WaitingForNodes' })
        expect(decision.rollout).to.equal(undefined)
      },
    },
    {
      title: 'writes the start of a restart to the status before the restart',
      seen: { policy: restarting, profile: shown(2, restarting) },
      prepared: withSettled,
      effect: 'write-policy-status',
      also: (decision) => {
        expect(statusOf(decision)?.restart).to.deep.include({ done: false })
        expect(decision.rollout).to.equal(undefined)
      },
    },
    {
      title: 'restarts workloads after the status has the start',
      seen: { policy: started, profile: shown(2, restarting) },
      prepared: withSettled,
      effect: 'none',
      also: ({ rollout }) => expect(rollout).to.deep.include({ type: 'wanted' }),
    },
  ],
}

describe('what is decided about a policy', () => {
  for (const [situation, rows] of Object.entries(table))
    for (const { title, seen, prepared, effect, also } of rows)
      it(`that is ${situation}: ${title}`, () => {
        const observation = prepared?.(observationOf(seen)) ?? observationOf(seen)
        expect(situationOf(observation).is).to.equal(situation)
        const decision = decide(observation)
        expect(decision.effect?.type ?? 'none').to.equal(effect)
        also?.(decision)
      })

  it('that is settled: is Ready after the numbers of the ArmorProfile are', async () => {
    const { effects, seen } = await converge(observationOf({ policy: policyOf() }))
    expect(effects).to.deep.equal(['compile', 'apply-profile'])
    const later = await converge({ ...seen, now: seen.now + 5_000 })
    expect(later.effects).to.deep.equal(['write-profile-status', 'write-policy-status'])
    expect(situationOf(later.seen).is).to.equal('settled')
    expect(later.seen.policy?.status).to.deep.include({ ready: true, phase: 'Protecting' })
  })

  it('reads nothing but the observation, and changes nothing of it', () => {
    fc.assert(
      fc.property(observations, (any) => {
        for (const seen of [any, withCompiled(any)]) {
          deepFreeze(seen)
          expect(decide(seen)).to.deep.equal(decide(structuredClone(seen)))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('is Ready only where each node has loaded the profile of the policy as it is', async () => {
    await fc.assert(
      fc.asyncProperty(observations, async (any) => {
        await converge(any, ({ policy, profile, nodes }, { effect }) => {
          if (effect?.type !== 'write-policy-status' || !effect.status.ready) return
          const { desired, loaded } = nodes.summary
          expect(desired).to.be.above(0)
          expect(loaded).to.equal(desired)
          expect(profile?.metadata.ownerReferences).to.have.nested.property('[0].uid', policy?.metadata.uid)
          expect(profile?.metadata).to.not.have.property('deletionTimestamp')
          expect(policy?.metadata).to.not.have.property('deletionTimestamp')
          expect(effect.status.observedGeneration).to.equal(policy?.metadata.generation)
        })
      }),
      { numRuns: 500 },
    )
  })

  it('lets an ArmorProfile go only when it is deleted, and on no node', async () => {
    await fc.assert(
      fc.asyncProperty(observations, async (any) => {
        await converge(any, (seen, { effect }) => {
          if (effect?.type !== 'release-profile') return
          const { nodes, memory } = seen
          expect(nodes.holders?.count).to.equal(0)
          expect(isToGo(seen)).to.equal(true)
          const { uid, deletionTimestamp } = effect.profile.metadata
          expect(deletionTimestamp !== undefined || memory.deleted === uid).to.equal(true)
        })
      }),
      { numRuns: 500 },
    )
  })

  it('always makes progress with what is to go: it does something, or it waits for something that ends', async () => {
    await fc.assert(
      fc.asyncProperty(observations, async (any) => {
        await converge(any, (seen, { effect, ended, timers, memory }) => {
          if (!isToGo(seen)) return
          const waits = timers.removal !== undefined || memory.sentRollout?.change !== undefined
          expect(ended || effect !== undefined || waits).to.equal(true)
        })
      }),
      { numRuns: 500 },
    )
  })

  it('comes to rest: with the answers applied, nothing is done twice', async () => {
    await fc.assert(
      fc.asyncProperty(observations, async (any) => {
        const { effects, seen, decision } = await converge(any)
        expect(new Set(effects).size, effects.join()).to.equal(effects.length)
        const again = decide(seen)
        expect(again.effect).to.equal(undefined)
        expect(again.memory).to.deep.equal(decision.memory)
        expect(again.events).to.deep.equal([])
        expect(again.rollout).to.equal(undefined)
      }),
      { numRuns: 500 },
    )
  })
})

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const each of Object.values(value)) deepFreeze(each)
}
