import fc from 'fast-check'
import { decide } from '../../../actors/policy/decide.ts'
import { type Desired, PROFILE_FINALIZER } from '../../../actors/policy/desired.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import { freshMemory, type Memory } from '../../../actors/policy/memory.ts'
import type { NodesObserved, Observation } from '../../../actors/policy/observation.ts'
import { idOf, profileIdOf } from '../../../actors/policy/policy-id.ts'
import { isToGo, POLICY_FINALIZER, situationOf } from '../../../actors/policy/situation.ts'
import { defaultPolicySettings } from '../../../actors/policy.ts'
import type { AnyPolicy } from '../../../actors/ports.ts'
import type { ArmorProfile, VarmorPolicySpec } from '../../../src/api/types.ts'
import { asWall } from '../../../src/base/clock.ts'
import { INSTALL_NAMESPACE, policySpec, START } from './world.ts'

// Observations to decide on: single observations for tables, and random observations for properties.

export const settings = { ...defaultPolicySettings, behaviorModeling: true, installNamespace: INSTALL_NAMESPACE }
export const NOW = START + 3_600_000
const apiVersion = 'crd.varmor.org/v1beta1'
const at = (milliseconds: number): string => new Date(milliseconds).toISOString()

export const policyOf = (metadata: Partial<AnyPolicy['metadata']> = {}, rest: Partial<AnyPolicy> = {}): AnyPolicy =>
  ({
    apiVersion,
    kind: 'VarmorPolicy',
    metadata: {
      ...{ name: 'web', namespace: 'demo', uid: 'u1', generation: 1, resourceVersion: '10' },
      finalizers: [POLICY_FINALIZER],
      ...metadata,
    },
    spec: policySpec(),
    ...rest,
  }) as AnyPolicy

export function compiled(policy: AnyPolicy): Desired {
  return desiredProfile(policy, { installNamespace: INSTALL_NAMESPACE, modeling: { state: 'none' } })
}

/** The ArmorProfile of the policy; if the policy does not compile, the ArmorProfile of another policy. */
export function profileOf(policy: AnyPolicy, metadata: Partial<ArmorProfile['metadata']> = {}): ArmorProfile {
  const desired = compiled(policy)
  const { document } = (desired.ok ? desired : compiled(policyOf())) as Desired & { ok: true }
  return {
    apiVersion,
    kind: 'ArmorProfile',
    metadata: {
      ...document.metadata,
      ...{ uid: 'p1', generation: 1, resourceVersion: '20', creationTimestamp: at(NOW - 60_000) },
      ...metadata,
    },
    spec: document.spec,
  } as ArmorProfile
}

const none = { nodes: [], count: 0 }
export const nodesOf = (rest: Partial<NodesObserved> = {}): NodesObserved => ({
  summary: { desired: 2, loaded: 2, failed: 0, blocking: 0 },
  ...{ failures: [], silent: none, uncovered: none, leavingOut: [], blockers: [], holders: undefined },
  ...{ startedAt: START, unknown: 0, knownAt: START },
  ...rest,
})

export function observationOf(rest: Partial<Observation>): Observation {
  const id = idOf(policyOf())
  const profileId = profileIdOf(id, INSTALL_NAMESPACE)
  const seen: Observation = {
    ...{ now: NOW, wall: asWall(NOW), settings, id, profileId, profileName: profileId.name },
    ...{ policy: undefined, isUnkept: false, profile: undefined, profileUnseenUntil: undefined, model: undefined },
    nodes: nodesOf(),
    egress: { addresses: [], sharing: 0 },
    memory: freshMemory(),
    ...rest,
  }
  const holders = isToGo(seen) ? (seen.nodes.holders ?? none) : undefined
  return { ...seen, nodes: { ...seen.nodes, holders } }
}

/** The same observation after the policy's outcome is settled. */
export function withSettled(seen: Observation): Observation {
  const { memory } = decide(withCompiled(seen))
  return { ...seen, memory: { ...seen.memory, settled: memory.settled } }
}

/** The same observation after the policy is compiled. */
export function withCompiled(seen: Observation): Observation {
  const found = situationOf(seen)
  if (found.is !== 'not compiled') return seen
  const { policy, modeling, of } = found
  const desired = desiredProfile(policy, { installNamespace: INSTALL_NAMESPACE, modeling })
  return { ...seen, memory: { ...seen.memory, compiled: { of, desired } } }
}

const modeling: VarmorPolicySpec = {
  ...policySpec(),
  policy: { enforcer: 'AppArmor', mode: 'BehaviorModeling', modelingOptions: { duration: 10 } },
}
const specs: VarmorPolicySpec[] = [
  policySpec(),
  policySpec({ rules: ['disallow-umount'], updateExistingWorkloads: true }),
  policySpec({ rules: ['no-such-rule'] }),
  policySpec({ enforcer: 'AppArmorSeccomp', rules: ['disallow-write-core-pattern'], updateExistingWorkloads: true }),
  policySpec({ enforcer: 'BPF' }),
  policySpec({ target: { kind: 'Pod', name: 'one' }, updateExistingWorkloads: true }),
  modeling,
]

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const moment = fc.integer({ min: -120_000, max: 0 }).map((before) => NOW + before)
const progress = fc.record({
  change: fc.constantFrom('create-1', 'create-2'),
  since: moment,
  state: fc.constantFrom('running' as const, 'paused' as const, 'done' as const),
  restarted: fc.nat(2),
  total: fc.nat(2),
  message: fc.constantFrom('', 'it is not well'),
})

const policies: fc.Arbitrary<AnyPolicy> = fc
  .record({
    uid: fc.constantFrom('u1', 'u2'),
    generation: fc.integer({ min: 1, max: 3 }),
    spec: fc.constantFrom(...specs),
    finalizers: fc.constantFrom<string[]>([], [POLICY_FINALIZER], ['other', POLICY_FINALIZER], ['other']),
    deleted: maybe(moment),
    observed: maybe(fc.integer({ min: 1, max: 3 })),
    ready: fc.boolean(),
    restart: maybe(fc.record({ change: fc.constantFrom('create-1', 'create-2'), done: fc.boolean() })),
  })
  .map(({ uid, generation, spec, finalizers, deleted, observed, ready, restart }) => {
    const deletion = deleted === undefined ? {} : { deletionTimestamp: at(deleted) }
    const status = {
      ...{ profileName: 'varmor-demo-web', ready, observedGeneration: observed ?? 0 },
      ...(restart !== undefined && { restart: { ...restart, since: at(NOW - 60_000) } }),
    }
    return policyOf({ uid, generation, finalizers, ...deletion }, { spec, ...(observed !== undefined && { status }) })
  })

const profiles: fc.Arbitrary<ArmorProfile> = fc
  .record({
    policy: policies,
    uid: fc.constantFrom('p1', 'p2'),
    generation: fc.integer({ min: 1, max: 3 }),
    finalizers: fc.constantFrom<string[]>([PROFILE_FINALIZER], [], ['other', PROFILE_FINALIZER]),
    deleted: maybe(moment),
    owned: fc.boolean(),
    loaded: maybe(fc.nat(3)),
  })
  .map(({ policy, uid, generation, finalizers, deleted, owned, loaded }) => {
    const deletion = deleted === undefined ? {} : { deletionTimestamp: at(deleted) }
    const profile = profileOf(policy, { uid, generation, finalizers, ...deletion })
    if (!owned) profile.metadata.ownerReferences = []
    if (loaded !== undefined)
      profile.status = { desiredNumberLoaded: 3, currentNumberLoaded: loaded, observedGeneration: generation }
    return profile
  })

const nodes: fc.Arbitrary<NodesObserved> = fc
  .record({
    states: fc.array(fc.constantFrom('loaded', 'failed', 'silent', 'holding'), { maxLength: 4 }),
    startedAt: moment,
    unknown: fc.nat(1),
  })
  .map(({ states, startedAt, unknown }) => {
    const of = (...which: string[]) => states.flatMap((state, i) => (which.includes(state) ? [`n${i}`] : []))
    const listing = (names: string[]) => ({ nodes: names, count: names.length })
    const [loaded, failed] = [of('loaded'), of('failed')]
    return nodesOf({
      summary: {
        ...{ desired: states.length, loaded: loaded.length, failed: failed.length },
        blocking: states.length - loaded.length,
      },
      failures: failed.map((node) => ({ node, message: 'no room' })),
      silent: listing(of('silent')),
      blockers: of('failed', 'silent', 'holding'),
      holders: listing(of('loaded', 'failed', 'holding')),
      ...{ startedAt, knownAt: startedAt, unknown },
    })
  })

const pace = fc.record({ at: moment, changes: fc.nat(9) })

const memories: fc.Arbitrary<Memory> = fc
  .record({
    deleted: maybe(fc.constantFrom('p1', 'p2')),
    removalSince: maybe(moment),
    policyPace: pace,
    profilePace: pace,
    confirmed: fc.constantFrom('', 'p1/1'),
    sentRollout: maybe(fc.record({ change: maybe(fc.constantFrom('create-1', 'create-2')) })),
    progress: maybe(progress),
    beginning: maybe(fc.record({ change: fc.constantFrom('create-1', 'create-2'), since: moment })),
    failure: fc.constantFrom('', 'TypeError: a bug'),
    rolloutFailure: fc.constantFrom('', 'TypeError: another bug'),
  })
  .map((rest) => ({ ...freshMemory(), ...rest }))

export const observations: fc.Arbitrary<Observation> = fc
  .record({ policy: maybe(policies), profile: maybe(profiles), nodes, memory: memories })
  .map((rest) => observationOf(rest))
