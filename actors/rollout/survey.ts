import { CompiledSelector } from '../../src/api/label-selector.ts'
import type { ControlPlaneStores, Workload } from '../ports.ts'
import { isInProfile, isOptedOut } from './confinement.ts'
import { unhealthy } from './health.ts'
import { restartedAt } from './restarted-at.ts'
import type { WantedRollout } from './wanted.ts'

/** A workload that was restarted for the change and is not well yet. */
export interface Rolling {
  workload: Workload
  /** Milliseconds since the epoch. */
  since: number
  missing: string
}

/** Where the workloads of a rollout stand. The objects say it all: a manager that crashed goes on from here. */
export interface Survey {
  /** To be restarted, in order of namespace and name. */
  waiting: Workload[]
  rolling: Rolling[]
  finished: number
}

export interface SurveyOptions {
  /** The label that opts a workload in; undefined: none is needed. */
  optIn: { key: string; value: string } | undefined
  /** Whether a policy that names no containers means init containers too; as admission has it. */
  confineInitContainers: boolean
}

export const nameOf = ({ kind, metadata }: Workload): string => `${kind} ${metadata.namespace}/${metadata.name}`

/** `fresh` is what the last patch resolved to, which the stores may not have yet. */
export function survey(
  stores: Pick<ControlPlaneStores, 'workloads'>,
  wanted: WantedRollout,
  options: SurveyOptions,
  fresh: (workload: Workload) => Workload = (workload) => workload,
): Survey {
  const found: Survey = { waiting: [], rolling: [], finished: 0 }
  if (wanted.target.kind === 'Pod') return found
  const selector = wanted.target.selector && new CompiledSelector(wanted.target.selector)
  for (const stored of stores.workloads(wanted.target.kind, wanted.namespace)) {
    const workload = fresh(stored)
    if (isMeant(workload, wanted, options, selector)) place(workload, wanted, options, found)
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

function place(workload: Workload, wanted: WantedRollout, options: SurveyOptions, found: Survey): void {
  const at = restartedAt(workload, wanted.change)
  if (at !== undefined) {
    const missing = unhealthy(workload)
    if (missing === undefined) found.finished++
    else found.rolling.push({ workload, since: at, missing })
  } else if (needsRestart(workload, wanted, options)) found.waiting.push(workload)
}

function needsRestart(
  workload: Workload,
  wanted: WantedRollout,
  { confineInitContainers: initToo }: SurveyOptions,
): boolean {
  const created = Date.parse(workload.metadata.creationTimestamp ?? '')
  if (created > wanted.since || isOptedOut(workload, wanted, initToo)) return false
  return wanted.removing || !isInProfile(workload, wanted, initToo)
}
