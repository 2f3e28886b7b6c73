import { Acknowledgements } from '../../../actors/policy/acknowledgements.ts'
import { carryOut } from '../../../actors/policy/act.ts'
import { decide } from '../../../actors/policy/decide.ts'
import type { Decision, Effect } from '../../../actors/policy/decision.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import type { Observation } from '../../../actors/policy/observation.ts'
import { profileIdOf } from '../../../actors/policy/policy-id.ts'
import type { PolicyPorts } from '../../../actors/policy/ports.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { NOW, observationOf, settings } from './observations.ts'
import { START } from './world.ts'

/** Decides and acts until nothing remains to do, on a server that accepts every request. */
export async function converge(
  first: Observation,
  check: (seen: Observation, decision: Decision) => void = () => undefined,
): Promise<{ effects: Effect['type'][]; seen: Observation; decision: Decision }> {
  const effects: Effect['type'][] = []
  let seen = first
  for (;;) {
    const decision = decide(seen)
    check(seen, decision)
    const { effect } = decision
    if (effect === undefined) return { effects, seen: { ...seen, memory: decision.memory }, decision }
    effects.push(effect.type)
    if (effects.length > 20) throw new Error(`it comes to no rest: ${effects}`)
    const { memory } = await carryOut(ports, seen, effect)
    seen = after(seen, { ...decision.memory, ...memory })
  }
}

/** The observation after an answer: as `observe` would return it, if the stores have not seen the write yet. */
function after(seen: Observation, memory: Observation['memory']): Observation {
  const policy = memory.policy ?? seen.policy
  const isGone = policy?.metadata.deletionTimestamp !== undefined && policy.metadata.finalizers?.length === 0
  const known = memory.profile ?? seen.profile
  const profile = known?.metadata.uid === memory.released ? undefined : known
  const { holders } = seen.nodes
  const made = memory.profile !== undefined && holders !== undefined
  const nodes = made ? { ...seen.nodes, holders: { nodes: [], count: 0 } } : seen.nodes
  return observationOf({ ...seen, memory, nodes, policy: isGone ? undefined : policy, profile, now: seen.now + 10 })
}

const written = <T extends { metadata: { resourceVersion?: string } }>(object: T, change: object): T => ({
  ...object,
  ...change,
  metadata: { ...object.metadata, resourceVersion: String(Number(object.metadata.resourceVersion ?? 0) + 1) },
})

const ports: PolicyPorts = {
  stores: { policy: () => undefined, lacksPolicies: () => false, profile: () => undefined },
  names: {
    of: (id) => {
      const profileId = profileIdOf(id, settings.installNamespace)
      return { name: profileId.name, isSettled: true, profileId }
    },
    claim: () => undefined,
  },
  api: {
    setPolicyFinalizers: async (policy, finalizers) => {
      const next = written(policy, {})
      return { ...next, metadata: { ...next.metadata, finalizers } }
    },
    writePolicyStatus: async (policy, status) => written(policy, { status }),
    applyProfile: async ({ metadata, spec }) => ({
      ...({ apiVersion: 'crd.varmor.org/v1beta1', kind: 'ArmorProfile', spec } as ArmorProfile),
      metadata: {
        ...metadata,
        uid: 'p9',
        generation: 1,
        resourceVersion: '90',
        creationTimestamp: new Date(NOW).toISOString(),
      },
    }),
    writeProfileStatus: async (profile, status) => written(profile, { status }),
    writeEgress: async (profile, status) => written(profile, { status }),
    setProfileFinalizers: async () => undefined,
    markProfile: async (profile) => {
      const { metadata } = written(profile, {})
      return {
        ...profile,
        metadata: { ...metadata, labels: { ...metadata.labels, 'varmor.org/made-by': 'varmor-manager' } },
      }
    },
    deleteProfile: async () => undefined,
  },
  event: () => undefined,
  count: () => undefined,
  acknowledgements: new Acknowledgements(START),
  compile: desiredProfile,
  nodesChanged: () => undefined,
  turnCame: () => undefined,
  sendToRollout: () => undefined,
  dropNodeProfile: () => undefined,
  egress: () => ({ addresses: [], sharing: 0 }),
  model: () => undefined,
  uncovered: () => ({ nodes: [], count: 0 }),
  settings,
}
