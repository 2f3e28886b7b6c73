import { timestamp } from '../../api-server/context.ts'
import { conditionOf } from '../pod-state.ts'
import type { Condition, ContainerState, Pod, PodStatus } from '../types.ts'
import { type ContainerRecord, isDone, isRunning, restarts, statusOfRecord } from './container-record.ts'

export interface Observed {
  readonly records: readonly ContainerRecord[]
  readonly hostIP: string
  /** Empty until the pod has one. */
  readonly podIP: string
  /** Milliseconds since the epoch. */
  readonly startTime: number
  /** No container will be started any more. */
  readonly ending: boolean
}

/** What a kubelet writes of a pod (kubernetes, pkg/kubelet/kubelet_pods.go and pkg/kubelet/status/generate.go). */
export function podStatus(pod: Pod, observed: Observed, now: number): PodStatus {
  const { records, hostIP, podIP } = observed
  const waiting = records.some(({ role }) => role === 'init') ? 'PodInitializing' : 'ContainerCreating'
  const statuses = (roles: readonly string[]) =>
    records.filter(({ role }) => roles.includes(role)).map((record) => statusOfRecord(record, waiting))
  const init = statuses(['init', 'sidecar'])
  const phase = phaseFor(pod, observed)
  return {
    phase,
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    conditions: conditionsFor(pod, observed, phase, now),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(podIP === '' ? {} : { podIP, podIPs: [{ ip: podIP }] }),
    startTime: timestamp(observed.startTime),
    ...(init.length > 0 ? { initContainerStatuses: init } : {}),
    containerStatuses: statuses(['main']),
  }
}

/** The exit code of a container that has ended, also of one that waits to be started again. */
const exitOf = ({ state, lastState }: ContainerRecord): number | undefined =>
  (state.terminated ?? (isWaiting(state) ? lastState.terminated : undefined))?.exitCode

const isWaiting = ({ running, terminated }: ContainerState): boolean => !running && !terminated

function phaseFor(pod: Pod, { records, ending }: Observed): string {
  const init = records.filter(({ role }) => role === 'init')
  const failedInit = init.some((record) => (exitOf(record) ?? 0) !== 0 && !restarts(pod, record, exitOf(record)!))
  if (failedInit) return 'Failed'
  const main = records.filter(({ role }) => role === 'main')
  const begun = main.some((record) => isRunning(record) || exitOf(record) !== undefined)
  const initializing = records.some((record) => record.role !== 'main' && !isDone(record) && !hasBegun(record))
  if ((initializing && !begun) || init.some((record) => exitOf(record) !== 0)) return 'Pending'
  if (main.some((record) => !isRunning(record) && exitOf(record) === undefined)) return 'Pending'
  if (main.some(isRunning)) return 'Running'
  const exits = main.map((record) => exitOf(record)!)
  if (!ending && main.some((record) => restarts(pod, record, exitOf(record)!))) return 'Running'
  if (records.some((record) => record.role === 'sidecar' && isRunning(record))) return 'Running'
  return exits.every((code) => code === 0) ? 'Succeeded' : 'Failed'
}

const hasBegun = (record: ContainerRecord): boolean => isRunning(record) || exitOf(record) !== undefined

interface Finding {
  readonly status: boolean
  readonly reason?: string
  readonly message?: string
}

function conditionsFor(pod: Pod, observed: Observed, phase: string, now: number): Condition[] {
  const containersReady = containersFinding(observed, phase)
  const findings: [string, Finding][] = [
    ['PodReadyToStartContainers', { status: observed.podIP !== '' && !(observed.ending && !anyRuns(observed)) }],
    ['Initialized', initializedFinding(observed, phase)],
    ['Ready', readyFinding(pod, containersReady)],
    ['ContainersReady', containersReady],
    ['PodScheduled', { status: true }],
  ]
  return findings.map(([type, finding]) => condition(pod, type, finding, now))
}

const anyRuns = ({ records }: Observed): boolean => records.some(isRunning)

function condition(pod: Pod, type: string, { status, reason, message }: Finding, now: number): Condition {
  const text = status ? 'True' : 'False'
  const before = conditionOf(pod.status?.conditions, type)
  const since = before?.status === text ? before.lastTransitionTime : undefined
  const { generation } = pod.metadata
  return {
    type,
    status: text,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    lastProbeTime: null,
    lastTransitionTime: since ?? timestamp(now),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  }
}

const namesOf = (records: readonly ContainerRecord[]): string =>
  `[${records.map(({ container }) => container.name).join(' ')}]`

function initializedFinding({ records }: Observed, phase: string): Finding {
  if (phase === 'Succeeded') return { status: true, reason: 'PodCompleted' }
  if (records.some((record) => record.role === 'main' && hasBegun(record))) return { status: true }
  const missing = records.filter((record) => record.role !== 'main' && !isDone(record))
  if (missing.length === 0) return { status: true }
  const message = `containers with incomplete status: ${namesOf(missing)}`
  return { status: false, reason: 'ContainersNotInitialized', message }
}

function containersFinding({ records }: Observed, phase: string): Finding {
  if (phase === 'Succeeded') return { status: false, reason: 'PodCompleted' }
  if (phase === 'Failed') return { status: false, reason: 'PodFailed' }
  const unready = records.filter((record) => record.role !== 'init' && !(isRunning(record) && record.ready))
  if (unready.length === 0) return { status: true }
  return { status: false, reason: 'ContainersNotReady', message: `containers with unready status: ${namesOf(unready)}` }
}

function readyFinding(pod: Pod, containers: Finding): Finding {
  if (!containers.status) return containers
  const problems = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const gate = conditionOf(pod.status?.conditions, conditionType)
    if (!gate) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`]
    return gate.status === 'True'
      ? []
      : [`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`]
  })
  if (problems.length === 0) return { status: true }
  return { status: false, reason: 'ReadinessGatesNotReady', message: problems.join(', ') }
}
