import { CompiledSelector } from '../../src/api/label-selector.ts'
import type { WallMs } from '../../src/base/clock.ts'
import { whyOutlined } from '../../src/base/left-out.ts'
import type { ControlPlaneStores, Workload } from '../ports.ts'
import { isInProfile, isOptedOut, takeOut } from './confinement.ts'
import { replacedByHand, unhealthy } from './health.ts'
import type { Memory, PodsSeen } from './memory.ts'
import { restartedAt } from './restarted-at.ts'
import type { WantedRollout } from './wanted.ts'

/** A workload that was restarted for the change and is not well yet. */
export interface Rolling {
  workload: Workload
  /** By the monotonic clock. */
  since: number
  missing: string
}

/** A workload that was restarted and is well, some of whose pods run without the profile. */
export interface Astray {
  workload: Workload
  pods: PodsSeen
}

/** A workload that another policy confines. */
export interface Shadowed {
  workload: Workload
  /** Key of that policy. */
  by: string
}

/** Where the workloads of a rollout stand. The objects say it all: a manager that crashed goes on from here. */
export interface Survey {
  /** To be restarted, in order of namespace and name. */
  waiting: Workload[]
  rolling: Rolling[]
  /** Restarted and well; whether their pods are in the profile is to be looked at. */
  unseen: Workload[]
  /** The new pods are not in the profile. */
  astray: Astray[]
  /** The old pods stay until somebody deletes them. */
  held: Astray[]
  /** Left to another policy. */
  shadowed: Shadowed[]
  /** There is an outline only, which does not say whether they are meant. */
  outlined: Workload[]
  finished: number
  /** What was known to be restarted, and what was found to be. */
  begun: Map<string, number>
}

export const nothingFound = (): Survey => ({
  ...{ waiting: [], rolling: [], unseen: [], astray: [], held: [], shadowed: [], outlined: [] },
  finished: 0,
  begun: new Map(),
})

export interface SurveyOptions {
  /** The label that opts a workload in; undefined: none is needed. */
  optIn: { key: string; value: string } | undefined
  /** Whether a policy that names no containers means init containers too; as admission has it. */
  confineInitContainers: boolean
}

export const nameOf = ({ kind, metadata }: Workload): string => `${kind} ${metadata.namespace}/${metadata.name}`

/** What is known beside the workloads. */
export interface Known extends Pick<Memory, 'pods' | 'begun' | 'lastMade'> {
  /** Milliseconds, by the monotonic clock. */
  now: number
  /** The time of day. */
  wall: WallMs
  /** Key of the policy that confines the workload instead of this one, if any. */
  rival(workload: Workload): string | undefined
}

/** @param fresh what the last patch resolved to, which the stores may not have yet */
export function survey(
  stores: Pick<ControlPlaneStores, 'workloads'>,
  wanted: WantedRollout,
  options: SurveyOptions,
  known: Known,
  fresh: (workload: Workload) => Workload = (workload) => workload,
): Survey {
  const found: Survey = { ...nothingFound(), begun: new Map(known.begun) }
  if (wanted.target.kind === 'Pod') return found
  const selector = wanted.target.selector && new CompiledSelector(wanted.target.selector)
  for (const stored of stores.workloads(wanted.target.kind, wanted.namespace)) {
    const workload = fresh(stored)
    if (whyOutlined(workload) !== undefined) {
      const mayBeMeant = selector !== undefined || workload.metadata.name === wanted.target.name
      if (mayBeMeant && !isLater(workload, known)) found.outlined.push(workload)
    } else if (isMeant(workload, wanted, options, selector)) place(workload, wanted, options, known, found)
  }
  found.waiting.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  return found
}

function isMeant(
  { kind, metadata }: Workload,
  { target }: WantedRollout,
  { optIn }: SurveyOptions,
  selector: CompiledSelector | undefined,
): boolean {
  const { labels = {}, name, deletionTimestamp } = metadata
  if (kind !== target.kind || deletionTimestamp !== undefined) return false
  if (optIn !== undefined && (!Object.hasOwn(labels, optIn.key) || labels[optIn.key] !== optIn.value)) return false
  if (selector !== undefined) return selector.matches(labels)
  return target.name === name
}

/** When the API server made the workload; a manager's clock may differ from the server's. */
export const madeAt = ({ metadata }: Pick<Workload, 'metadata'>): number =>
  Date.parse(metadata.creationTimestamp ?? '') || 0

const isLater = (workload: Workload, { lastMade }: Pick<Known, 'lastMade'>): boolean => madeAt(workload) > lastMade

function place(workload: Workload, wanted: WantedRollout, options: SurveyOptions, known: Known, found: Survey): void {
  // Made later, it has picked up the change, and was never restarted for it, whatever it says.
  if (isLater(workload, known)) return
  const { pods, now, rival } = known
  const at = begunAt(workload, wanted, known, found.begun)
  if (at === undefined) {
    if (!needsRestart(workload, wanted, options)) return
    // It would come up again as it is, for nothing.
    const by = wanted.removing ? undefined : rival(workload)
    if (by === undefined) found.waiting.push(workload)
    else found.shadowed.push({ workload, by })
    return
  }
  const missing = unhealthy(workload)
  if (missing !== undefined) found.rolling.push({ workload, since: at, missing })
  // What is left of a profile that goes allows all, until no pod is in it.
  else if (wanted.removing) found.finished++
  else placeByPods(workload, pods.get(workload.metadata.uid), now, found)
}

/**
 * When the workload was restarted for the change; undefined if it was not. What stands on it its owner may change at any time, to be waited
 * for for ever or to be restarted for ever: it counts where nothing is known yet, as after a crash, and within the time that there was.
 */
function begunAt(
  workload: Workload,
  { change, since, removing }: WantedRollout,
  { now, wall }: Pick<Known, 'now' | 'wall'>,
  begun: Map<string, number>,
): number | undefined {
  const { uid } = workload.metadata
  const before = begun.get(uid)
  if (before !== undefined) return before
  const said = restartedAt(workload, change)
  // A policy may come back to enforcers that it had: what was done for them then does not count. It is removed once.
  if (said === undefined || (said < since && !removing)) return undefined
  const at = now - Math.max(0, wall - Math.max(said, since))
  begun.set(uid, at)
  return at
}

/** With all its pods in the profile, a workload is through with the change, whatever becomes of it later. */
function placeByPods(workload: Workload, seen: PodsSeen | undefined, now: number, found: Survey): void {
  const isNew = seen?.resourceVersion !== workload.metadata.resourceVersion
  if (seen?.outside === 0) found.finished++
  else if (seen === undefined || (isNew && now >= seen.again)) found.unseen.push(workload)
  else if (replacedByHand(workload) === undefined) found.astray.push({ workload, pods: seen })
  else found.held.push({ workload, pods: seen })
}

function needsRestart(
  workload: Workload,
  wanted: WantedRollout,
  { confineInitContainers: initToo }: SurveyOptions,
): boolean {
  const { template } = workload.spec
  if (wanted.removing) return takeOut(template, wanted.profileName).length > 0
  return !isOptedOut(template, wanted, initToo) && !isInProfile(template, wanted, initToo)
}
