import { CompiledSelector } from '../../src/api/label-selector.ts'
import type { WallMs } from '../../src/base/clock.ts'
import { whyOutlined } from '../../src/base/left-out.ts'
import type { ConfinementFacts } from '../../src/confinement/exemption.ts'
import type { ControlPlaneStores, Workload } from '../ports.ts'
import { replacedByHand, unhealthy } from './health.ts'
import type { Memory, PodsSeen } from './memory.ts'
import { lacksProfile } from './profile-gaps.ts'
import { restartedAt } from './restarted-at.ts'
import { takeOut } from './take-out.ts'
import type { WantedRollout } from './wanted.ts'

/** A workload that was restarted for the change and is not healthy yet. */
export interface Rolling {
  workload: Workload
  /** When the workload was restarted, by the monotonic clock. */
  since: number
  missing: string
}

/** A restarted, healthy workload with pods that run without the profile. */
export interface Astray {
  workload: Workload
  pods: PodsSeen
}

/** A workload that another policy confines. */
export interface Shadowed {
  workload: Workload
  /** Key of the other policy. */
  by: string
}

/**
 * State of the workloads of a rollout. All of it can be read from the objects, so a manager continues after a crash.
 */
export interface Survey {
  /** Workloads to restart, ordered by namespace and name. */
  waiting: Workload[]
  rolling: Rolling[]
  /** Restarted, healthy workloads; the manager must still check whether their pods have the profile. */
  unseen: Workload[]
  /** Workloads whose new pods lack the profile. */
  astray: Astray[]
  /** Workloads whose old pods stay until a user deletes them. */
  held: Astray[]
  /** Workloads that another policy confines. */
  shadowed: Shadowed[]
  /** Workloads that the manager keeps as an outline, which does not show whether the policy targets them. */
  outlined: Workload[]
  finished: number
  /** When workloads were restarted: known and newly found times. */
  started: Map<string, number>
}

export const nothingFound = (): Survey => ({
  ...{ waiting: [], rolling: [], unseen: [], astray: [], held: [], shadowed: [], outlined: [] },
  finished: 0,
  started: new Map(),
})

/** Admission has the same options. */
export interface SurveyOptions extends ConfinementFacts {
  /** The label that opts a workload in; undefined: no label is needed. */
  optIn: { key: string; value: string } | undefined
}

export const nameOf = ({ kind, metadata }: Workload): string => `${kind} ${metadata.namespace}/${metadata.name}`

/** Facts that the survey needs in addition to the workloads. */
export interface Known extends Pick<Memory, 'pods' | 'started' | 'lastMade'> {
  /** The current time in milliseconds, by the monotonic clock. */
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
  const found: Survey = { ...nothingFound(), started: new Map(known.started) }
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
  // A workload created later got the change at its creation and needs no restart, whatever its annotation says.
  if (isLater(workload, known)) return
  const { pods, now, rival } = known
  const at = restartTime(workload, wanted, known, found.started)
  if (at === undefined) {
    if (!needsRestart(workload, wanted, options)) return
    // Another policy confines the workload, so a restart would change nothing.
    const by = wanted.removing ? undefined : rival(workload)
    if (by === undefined) found.waiting.push(workload)
    else found.shadowed.push({ workload, by })
    return
  }
  const missing = unhealthy(workload)
  if (missing !== undefined) found.rolling.push({ workload, since: at, missing })
  // A profile that is being removed allows all until no pod uses it, so the pods need no check.
  else if (wanted.removing) found.finished++
  else placeByPods(workload, pods.get(workload.metadata.uid), now, found)
}

/**
 * When the workload was restarted for the change; undefined if it was not. The owner of the workload can change the
 * annotation at any time, to delay or repeat restarts. So the annotation counts only if the manager does not know the
 * time itself, as after a crash, and only within the possible range.
 */
function restartTime(
  workload: Workload,
  { change, since, removing }: WantedRollout,
  { now, wall }: Pick<Known, 'now' | 'wall'>,
  started: Map<string, number>,
): number | undefined {
  const { uid } = workload.metadata
  const before = started.get(uid)
  if (before !== undefined) return before
  const said = restartedAt(workload, change)
  // A policy may return to earlier enforcers: restarts from before this return do not count. A removal happens only
  // once.
  if (said === undefined || (said < since && !removing)) return undefined
  const at = now - Math.max(0, wall - Math.max(said, since))
  started.set(uid, at)
  return at
}

/**
 * Sorts a restarted, healthy workload into a list by the state of its pods. Once all its pods have the profile, later
 * changes do not matter.
 */
function placeByPods(workload: Workload, seen: PodsSeen | undefined, now: number, found: Survey): void {
  const isNew = seen?.resourceVersion !== workload.metadata.resourceVersion
  if (seen?.outside === 0) found.finished++
  else if (seen === undefined || (isNew && now >= seen.again)) found.unseen.push(workload)
  else if (replacedByHand(workload) === undefined) found.astray.push({ workload, pods: seen })
  else found.held.push({ workload, pods: seen })
}

const needsRestart = ({ spec: { template } }: Workload, wanted: WantedRollout, facts: ConfinementFacts): boolean =>
  wanted.removing ? takeOut(template, wanted.profileName).length > 0 : lacksProfile(template, wanted, facts)
