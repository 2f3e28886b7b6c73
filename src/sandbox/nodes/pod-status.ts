import {
  type Condition,
  type Container,
  type ContainerState,
  type ContainerStatus,
  type Pod,
  type PodStatus,
  timestamp,
} from '../controllers/objects.ts'
import { conditionOf } from '../controllers/pods.ts'

/** The kubelet's knowledge about a container of a pod. */
export interface ContainerRecord {
  readonly container: Container
  /** A sidecar is an init container that keeps running beside the main containers. */
  readonly role: 'init' | 'sidecar' | 'main'
  state: ContainerState
  lastState: ContainerState
  ready: boolean
  restarts: number
  id: string
  imageId: string
  /** Number of consecutive crashes. Ten minutes without a crash reset this number. */
  crashes: number
  startedAt: number
  /**
   * Whether this kubelet has started or found the container. Otherwise its state comes from an earlier status, and is
   * not certain.
   */
  attached: boolean
  /** The earliest time at which the container may start, in milliseconds since the epoch. */
  notBefore: number
}

/** The records of a pod's containers, from the pod's status. A restarted kubelet knows only this status. */
export function recordsOf({ spec, status }: Pod): ContainerRecord[] {
  const init = (spec.initContainers ?? []).map((container) =>
    recordOf(container, container.restartPolicy === 'Always' ? 'sidecar' : 'init', status?.initContainerStatuses),
  )
  return [...init, ...spec.containers.map((container) => recordOf(container, 'main', status?.containerStatuses))]
}

function recordOf(
  container: Container,
  role: ContainerRecord['role'],
  statuses: readonly ContainerStatus[] = [],
): ContainerRecord {
  const known = statuses.find(({ name }) => name === container.name)
  return {
    ...{ container, role, crashes: 0, attached: false, notBefore: 0 },
    state: known?.state ?? {},
    lastState: known?.lastState ?? {},
    // Keep the earlier value until the runtime reports, so that a restart of the kubelet takes no pod out of service.
    ready: role !== 'init' && known?.ready === true,
    restarts: known?.restartCount ?? 0,
    id: known?.containerID ?? '',
    imageId: known?.imageID ?? '',
    startedAt: Date.parse(known?.state.running?.startedAt ?? '') || 0,
  }
}

export const isRunning = ({ state }: ContainerRecord): boolean => state.running !== undefined

/** The exit code of a container that has ended, even if it waits for a restart. */
export const exitCodeOf = ({ state, lastState }: ContainerRecord): number | undefined =>
  state.running ? undefined : (state.terminated ?? lastState.terminated)?.exitCode

const hasStarted = (record: ContainerRecord): boolean => isRunning(record) || exitCodeOf(record) !== undefined

/** Whether the containers that follow an init container may start. */
export const isDone = (record: ContainerRecord): boolean =>
  record.role === 'sidecar' ? isRunning(record) : record.state.terminated?.exitCode === 0

/** Whether a container that has ended is restarted. */
export function restarts({ spec: { restartPolicy } }: Pod, { role }: ContainerRecord, exitCode: number): boolean {
  if (role === 'sidecar') return true
  if (role === 'init') return exitCode !== 0 && restartPolicy !== 'Never'
  return restartPolicy === 'OnFailure' ? exitCode !== 0 : restartPolicy !== 'Never'
}

export interface Observed {
  readonly records: readonly ContainerRecord[]
  readonly hostIP: string
  /** Address of the pod; empty until the pod has an address. */
  readonly podIP: string
  /** Time in milliseconds since the epoch. */
  readonly startTime: number
  /** Whether the pod starts no further container. */
  readonly ending: boolean
}

/** A kubelet's status of a pod. */
export function podStatus(pod: Pod, observed: Observed, now: number): PodStatus {
  const { records, hostIP, podIP } = observed
  const inits = records.filter(({ role }) => role !== 'main')
  const waiting = inits.length > 0 ? 'PodInitializing' : 'ContainerCreating'
  const statusOf = (record: ContainerRecord): ContainerStatus => statusOfRecord(record, waiting)
  const phase = phaseOf(pod, observed)
  return {
    phase,
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    conditions: conditionsOf(pod, records, phase, now),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(podIP !== '' && { podIP, podIPs: [{ ip: podIP }] }),
    startTime: timestamp(observed.startTime),
    ...(inits.length > 0 && { initContainerStatuses: inits.map(statusOf) }),
    containerStatuses: records.filter(({ role }) => role === 'main').map(statusOf),
  }
}

function statusOfRecord(record: ContainerRecord, waiting: string): ContainerStatus {
  const { container, role, state, lastState, id } = record
  const runs = isRunning(record)
  return {
    name: container.name,
    state: Object.keys(state).length > 0 ? state : { waiting: { reason: waiting } },
    lastState,
    ready: role === 'init' ? isDone(record) : runs && record.ready,
    restartCount: record.restarts,
    image: container.image ?? '',
    imageID: record.imageId,
    ...(id !== '' && { containerID: id }),
    started: runs,
  }
}

function phaseOf(pod: Pod, { records, ending }: Observed): string {
  const goesOn = (record: ContainerRecord): boolean => !ending && restarts(pod, record, exitCodeOf(record) ?? 0)
  const failedInit = records.find((record) => record.role === 'init' && (exitCodeOf(record) ?? 0) !== 0)
  if (failedInit && !goesOn(failedInit)) return 'Failed'
  const main = records.filter(({ role }) => role === 'main')
  if (!main.every(hasStarted)) return 'Pending'
  if (main.some((record) => isRunning(record) || goesOn(record))) return 'Running'
  return main.every((record) => exitCodeOf(record) === 0) ? 'Succeeded' : 'Failed'
}

function conditionsOf(pod: Pod, records: readonly ContainerRecord[], phase: string, now: number): Condition[] {
  const main = records.filter(({ role }) => role === 'main')
  const uninitialized = main.some(hasStarted) ? [] : records.filter((one) => one.role !== 'main' && !isDone(one))
  const unready = records.filter((record) => record.role !== 'init' && !(isRunning(record) && record.ready))
  const reason = { Succeeded: 'PodCompleted', Failed: 'PodFailed' }[phase] ?? 'ContainersNotReady'
  const condition = (type: string, missing: readonly ContainerRecord[], why: string): Condition => {
    const status = missing.length === 0 ? 'True' : 'False'
    const before = conditionOf(pod.status?.conditions, type)
    const since = before?.status === status ? before.lastTransitionTime : undefined
    const names = missing.map(({ container }) => container.name).join(' ')
    return {
      ...{ type, status, lastTransitionTime: since ?? timestamp(now) },
      ...(missing.length > 0 && { reason: why, message: `waits for containers: [${names}]` }),
    }
  }
  return [
    condition('Initialized', uninitialized, 'ContainersNotInitialized'),
    condition('Ready', unready, reason),
    condition('ContainersReady', unready, reason),
    condition('PodScheduled', [], ''),
  ]
}
