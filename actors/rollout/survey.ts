import { CompiledSelector } from '../../src/api/label-selector.ts'
import type { WallMs } from '../../src/base/clock.ts'
import { whyOutlined } from '../../src/base/left-out.ts'
import type { ControlPlaneStores, Workload } from '../ports.ts'
import { isInProfile, isOptedOut, takeOut } from './confinement.ts'
import { replacedByHand, unhealthy } from './health.ts'
import type { Memory, PodsSeen } from './memory.ts'
import { restartedAt } from './restarted-at.ts'
import type { WantedRollout } from './wanted.ts'

/** A workload that was restarted for the change and is not healthy yet. */
export interface Rolling {
  workload: Workload
  /** By the monotonic clock. */
  since: number
  missing: string
}

/** A healthy restarted workload with pods that run without the profile. */
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

/** State of the workloads of a rollout. The objects hold all of it, so a manager continues after a crash. */
export interface Survey {
  /** To be restarted, ordered by namespace and name. */
  waiting: Workload[]
  rolling: Rolling[]
  /** Restarted and healthy; their pods' profile must be checked. */
  unseen: Workload[]
  /** New pods lack the profile. */
  astray: Astray[]
  /** Old pods stay until a user deletes them. */
  held: Astray[]
  /** Confined by another policy. */
  shadowed: Shadowed[]
  /** Only an outline is known, which does not show whether the policy targets them. */
  outlined: Workload[]
  finished: number
  /** Known and found restart times. */
  begun: Map<string, number>
}

export const nothingFound = (): Survey => ({
  ...{ waiting: [], rolling: [], unseen: [], astray: [], held: [], shadowed: [], outlined: [] },
  finished: 0,
  begun: new Map(),
})

export interface SurveyOptions {
  /** The label that opts a workload in; undefined: no label is needed. */
  optIn: { key: string; value: string } | undefined
  /** Whether a policy without container names also targets init containers, as in admission. */
  confineInitContainers: boolean
}

export const nameOf = ({ kind, metadata }: Workload): string => `${kind} ${metadata.namespace}/${metadata.name}`

/** Facts in addition to the workloads. */
export interface Known extends Pick<Memory, 'pods' | 'begun' | 'lastMade'> {
  /** Milliseconds, by the monotonic clock. */
  now: number
  /** The wall-clock time. */
  wall: WallMs
  /** Key of the other policy that confines the workload, if any. */
  rival(workload: Workload): string | undefined
}

/** @param fresh the answer to the last patch, which the stores may lack */
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

/** When the API server created the workload; a manager's clock may differ from the server's. */
export const madeAt = ({ metadata }: Pick<Workload, 'metadata'>): number =>
  Date.parse(metadata.creationTimestamp ?? '') || 0

const isLater = (workload: Workload, { lastMade }: Pick<Known, 'lastMade'>): boolean => madeAt(workload) > lastMade

function place(workload: Workload, wanted: WantedRollout, options: SurveyOptions, known: Known, found: Survey): void {
  // A later workload has picked up the change at its start and needs no restart, whatever its annotation says.
  if (isLater(workload, known)) return
  const { pods, now, rival } = known
  const at = begunAt(workload, wanted, known, found.begun)
  if (at === undefined) {
    if (!needsRestart(workload, wanted, options)) return
    // A restart would change nothing.
    const by = wanted.removing ? undefined : rival(workload)
    if (by === undefined) found.waiting.push(workload)
    else found.shadowed.push({ workload, by })
    return
  }
  const missing = unhealthy(workload)
  if (missing !== undefined) found.rolling.push({ workload, since: at, missing })
  // A profile being removed allows all until no pod uses it.
  else if (wanted.removing) found.finished++
  else placeByPods(workload, pods.get(workload.metadata.uid), now, found)
}

/**
 * When the workload was restarted for the change; undefined if it was not. Its owner can change the annotation at any
 * time, to delay or repeat restarts for ever: it counts only if no time is known yet, as after a crash, and within the
 * possible range.
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
  // A policy may return to earlier enforcers: earlier restarts for them do not count. A removal happens once.
  if (said === undefined || (said < since && !removing)) return undefined
  const at = now - Math.max(0, wall - Math.max(said, since))
  begun.set(uid, at)
  return at
}

/** A workload whose pods all have the profile is done, whatever happens to it later. */
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
