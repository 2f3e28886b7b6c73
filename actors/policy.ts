import type { ArmorProfile } from '../src/api/types.ts'
import { ownerOf } from './policy/desired-profile.ts'
import { newest } from './policy/newer.ts'
import { keyOfProfile, parsePolicyKey, profileIdOf } from './policy/policy-id.ts'
import type { PolicyView } from './policy/policy-status.ts'
import { nodesView, publish } from './policy/publish.ts'
import { removeProfile } from './policy/remove.ts'
import { restartView, stopRollout, tellRollout } from './policy/restart.ts'
import {
  lookAgain,
  type PolicyDue,
  type PolicyMessage,
  type PolicyPorts,
  type PolicyState,
  type Run,
} from './policy/run.ts'
import { settle } from './policy/settle.ts'
import { type AnyPolicy, PortError } from './ports.ts'
import type { RolloutNews } from './rollout/wanted.ts'
import { type ActorContext, assertNever, type Behaviour, type FamilyOptions } from './runtime/index.ts'

export { defaultPolicySettings, type PolicyMessage, type PolicyPorts, type PolicySettings } from './policy/run.ts'

/** Holds a policy until its profile is off every node. */
export const POLICY_FINALIZER = 'varmor.org/vp-protection'

type Message = PolicyMessage | PolicyDue
type Context = ActorContext<Message>

const fresh = (): PolicyState => ({
  failures: 0,
  convergedAt: Number.NEGATIVE_INFINITY,
  policy: undefined,
  profile: undefined,
  profileWrittenAt: 0,
  deleted: undefined,
  released: undefined,
  removalSince: undefined,
  settled: undefined,
  confirmed: '',
  policyStatusAt: Number.NEGATIVE_INFINITY,
  profileStatusAt: Number.NEGATIVE_INFINITY,
  failed: { generation: 0, nodes: new Set() },
  beginning: undefined,
  toldRollout: undefined,
  news: undefined,
})

/**
 * One policy: its ArmorProfile, its statuses, its restarts, its end. It looks at what the API server holds and does what is missing,
 * whatever it was told, so that it may crash anywhere. What it did itself it knows before the watches do.
 */
export function policy(ports: PolicyPorts): Behaviour<PolicyState, Message> {
  return {
    start(context) {
      if (context.lastFailure !== undefined) context.after('start', 0, { type: 'due' })
      return fresh()
    },
    receive(state, message, context) {
      switch (message.type) {
        case 'rollout':
          hear(ports, state, message.news, context)
          return converge(ports, state, context)
        case 'rollout-failed':
          // It has forgotten what is wanted.
          state.toldRollout = undefined
          return converge(ports, state, context)
        case 'nodes':
          return hasNews(ports, state, context) ? converge(ports, state, context) : state
        case 'changed':
        case 'due':
          return converge(ports, state, context)
        default:
          return assertNever(message)
      }
    },
  }
}

/** Ten thousand nodes speak within seconds: they are heard together. */
function hasNews({ settings }: PolicyPorts, state: PolicyState, context: Context): boolean {
  const wait = state.convergedAt + settings.nodesInterval - context.now()
  if (wait > 0) context.after('nodes', wait, { type: 'due' })
  return wait <= 0
}

/** News of a rollout become Events, unless there was nothing to restart. */
function hear(ports: PolicyPorts, state: PolicyState, news: RolloutNews, context: Context): void {
  const before = state.news
  state.news = news
  const about = ports.stores.policy(parsePolicyKey(context.key))
  if (about === undefined || news.total === 0) return
  const count = `${news.restarted} of ${news.total} workloads were restarted`
  if (state.beginning?.change === news.change) {
    const note = `workloads that match ${JSON.stringify(about.spec.target)} are restarted, one after the other`
    ports.event({ policy: about, type: 'Normal', reason: 'RestartBegun', note })
    state.beginning = undefined
  }
  if ((before?.change === news.change && before.state === news.state) || news.state === 'running') return
  if (news.state === 'done') ports.event({ policy: about, type: 'Normal', reason: 'RestartDone', note: count })
  else
    ports.event({
      policy: about,
      type: 'Warning',
      reason: 'RestartPaused',
      note: `${count}; ${news.message}`.slice(0, 900),
    })
}

async function converge(ports: PolicyPorts, state: PolicyState, context: Context): Promise<PolicyState> {
  state.convergedAt = context.now()
  const run = lookAround(ports, state, context)
  try {
    if (run.policy === undefined) await cleanUp(run)
    else if (run.policy.metadata.deletionTimestamp !== undefined) await remove(run, run.policy)
    else await establish(run, run.policy)
    state.failures = 0
  } catch (error) {
    if (!(error instanceof PortError)) throw error
    retryLater(run, error)
  }
  return state
}

function lookAround(ports: PolicyPorts, state: PolicyState, context: Context): Run {
  const { settings, stores, acknowledgements } = ports
  const id = parsePolicyKey(context.key)
  const profileId = profileIdOf(id, settings.installNamespace)
  const now = context.now()
  const aggregate = acknowledgements.of(keyOfProfile(profileId), () => ports.nodesChanged(context.key))
  const policyInStore = stores.policy(id)
  const policyNow = newest(policyInStore, state.policy)
  // What the store has by now need not be kept twice.
  if (policyNow === policyInStore) state.policy = undefined
  const run: Run = {
    ports,
    settings,
    state,
    context,
    id,
    profileId,
    now,
    aggregate,
    policy: policyNow,
    profile: undefined,
  }
  run.profile = profileNow(run, stores.profile(profileId.namespace, profileId.name))
  if (run.profile?.metadata.uid !== undefined)
    aggregate.want(run.profile.metadata.uid, run.profile.metadata.generation ?? 0)
  return run
}

/** The ArmorProfile as it is by now: one that we made may not be in the store yet, and one that we let go still be there. */
function profileNow(run: Run, stored: ArmorProfile | undefined): ArmorProfile | undefined {
  const { state, settings, now } = run
  if (stored?.metadata.uid !== undefined && stored.metadata.uid === state.released) return undefined
  if (stored !== undefined || state.profile === undefined) {
    const found = newest(stored, state.profile)
    if (found === stored) state.profile = undefined
    return found
  }
  const left = state.profileWrittenAt + settings.watchDelay - now
  if (left <= 0) return undefined
  lookAgain(run, 'watch', left)
  return state.profile
}

/** The API did not do it: again, later and later. What it refuses is refused for long. */
function retryLater(run: Run, error: PortError): void {
  const { state, settings, context, ports } = run
  ports.count('api-error')
  const step =
    error.code === 'REFUSED' ? settings.refusedInterval : settings.firstBackoff * 2 ** Math.min(state.failures, 20)
  state.failures++
  const delay = Math.min(step, settings.longestBackoff) * (0.5 + context.random() / 2)
  context.log.warn(
    { address: context.address, err: error, retryIn: delay },
    'the API did not take a change of a policy',
  )
  lookAgain(run, 'retry', delay)
}

async function establish(run: Run, found: AnyPolicy): Promise<void> {
  const held = await holdPolicy(run, found)
  const unusable = unusableProfile(run.profile, held)
  if (unusable !== '' && run.profile !== undefined) {
    const { gone, message } = await removeProfile(run, run.profile, 'left')
    if (!gone) {
      await publish(run, held, viewOf(run, held, { removing: `${unusable}: ${message}` }))
      return
    }
    run.profile = undefined
  }
  const { settled, modeling } = await settle(run, held)
  if (run.profile?.metadata.uid !== undefined)
    run.aggregate.want(run.profile.metadata.uid, run.profile.metadata.generation ?? 0)
  const { verdict, skipped } = settled
  const restart = verdict.kind === 'accepted' ? restartView(run, held) : { state: 'none' as const }
  const written = await publish(run, held, viewOf(run, held, { verdict, skipped, modeling, restart }))
  tellRollout(run, written, restart)
}

async function holdPolicy({ ports, state }: Run, found: AnyPolicy): Promise<AnyPolicy> {
  const { finalizers = [] } = found.metadata
  if (finalizers.includes(POLICY_FINALIZER)) return found
  state.policy = await ports.api.setPolicyFinalizers(found, [...finalizers, POLICY_FINALIZER])
  return state.policy
}

/** Why the ArmorProfile that is there cannot be the policy's; empty if it can. */
function unusableProfile(profile: ArmorProfile | undefined, { metadata }: AnyPolicy): string {
  if (profile === undefined) return ''
  if (profile.metadata.deletionTimestamp !== undefined)
    return 'the ArmorProfile is being deleted, and will be made again'
  return ownerOf(profile)?.uid === metadata.uid ? '' : 'the ArmorProfile of an earlier policy of this name goes first'
}

function viewOf(run: Run, { metadata }: AnyPolicy, rest: Partial<PolicyView>): PolicyView {
  return {
    profileName: run.profileId.name,
    generation: metadata.generation ?? 0,
    profileGeneration: run.profile?.metadata.generation,
    verdict: { kind: 'accepted' },
    modeling: { state: 'none' },
    nodes: nodesView(run),
    skipped: '',
    restart: { state: 'none' },
    removing: '',
    ...rest,
  }
}

/** The policy is to go: its workloads, the nodes, the ArmorProfile, and at last the policy. */
async function remove(run: Run, found: AnyPolicy): Promise<void> {
  const { finalizers = [] } = found.metadata
  if (!finalizers.includes(POLICY_FINALIZER)) return cleanUp(run)
  if (run.profile !== undefined) {
    const { gone, message } = await removeProfile(run, run.profile, 'restarted')
    if (!gone) {
      await publish(run, found, viewOf(run, found, { removing: message }))
      return
    }
  }
  await run.ports.api.setPolicyFinalizers(
    found,
    finalizers.filter((finalizer) => finalizer !== POLICY_FINALIZER),
  )
  end(run)
}

/** There is no policy, or none that waits for us: what is left of it goes. */
async function cleanUp(run: Run): Promise<void> {
  const { profile, id } = run
  const owner = profile === undefined ? undefined : ownerOf(profile)
  if (profile !== undefined && owner?.kind === id.kind && owner.name === id.name) {
    const { gone } = await removeProfile(run, profile, 'restarted')
    if (!gone) return
  }
  end(run)
}

function end(run: Run): void {
  const { ports, profileId, context } = run
  const key = keyOfProfile(profileId)
  stopRollout(run)
  ports.acknowledgements.forget(key, (node) => ports.dropNodeProfile(node, key))
  context.stop()
}

/** The family `policy`; its keys are those of `keyOfPolicy`. */
export const policyFamily = (ports: PolicyPorts): FamilyOptions<PolicyState, Message, PolicyState> => ({
  behaviour: policy(ports),
  mailbox: { capacity: 16, coalesce: ({ type }) => type },
  passivate: (state) => state,
  activate: (state) => state,
})
