import { timestamp } from '../../api-server/context.ts'
import type { Container, ContainerState, ContainerStatus, Pod } from '../types.ts'

/** What a kubelet knows of a container of a pod. */
export interface ContainerRecord {
  readonly container: Container
  /** A sidecar is an init container that goes on running beside the others. */
  readonly role: 'init' | 'sidecar' | 'main'
  state: ContainerState
  lastState: ContainerState
  ready: boolean
  restarts: number
  id: string
  imageId: string
  /** Ends in a row without ten minutes of running in between. */
  crashes: number
  startedAt: number
  /** Whether this kubelet has started it or found it again; what a status says of before is not certain. */
  attached: boolean
  /** Before this time it is not started, in milliseconds since the epoch. */
  notBefore: number
}

export const isSidecar = ({ restartPolicy }: Container): boolean => restartPolicy === 'Always'

/** The records of a pod's containers, as its status has them: what a kubelet that starts anew knows. */
export function recordsOf({ spec, status }: Pod): ContainerRecord[] {
  const init = (spec.initContainers ?? []).map((container) =>
    recordOf(container, isSidecar(container) ? 'sidecar' : 'init', status?.initContainerStatuses),
  )
  const main = spec.containers.map((container) => recordOf(container, 'main', status?.containerStatuses))
  return [...init, ...main]
}

function recordOf(
  container: Container,
  role: ContainerRecord['role'],
  statuses: readonly ContainerStatus[] = [],
): ContainerRecord {
  const known = statuses.find(({ name }) => name === container.name)
  return {
    container,
    role,
    state: known?.state ?? {},
    lastState: known?.lastState ?? {},
    // Until the runtime says otherwise: a kubelet that starts anew takes no pod out of service.
    ready: role !== 'init' && known?.ready === true,
    restarts: known?.restartCount ?? 0,
    id: known?.containerID ?? '',
    imageId: known?.imageID ?? '',
    crashes: 0,
    startedAt: Date.parse(known?.state.running?.startedAt ?? '') || 0,
    attached: false,
    notBefore: 0,
  }
}

/** Has run and ended well, which for an init container is what the next one waits for. */
export const hasSucceeded = ({ state }: ContainerRecord): boolean => state.terminated?.exitCode === 0

export const isRunning = ({ state }: ContainerRecord): boolean => state.running !== undefined

/** Whether the containers after an init container may start. */
export const isDone = (record: ContainerRecord): boolean =>
  record.role === 'sidecar' ? isRunning(record) : hasSucceeded(record)

/** Whether a container that has ended is started again. */
export function restarts({ spec }: Pod, { role }: ContainerRecord, exitCode: number): boolean {
  if (role === 'sidecar') return true
  if (role === 'init') return exitCode !== 0 && spec.restartPolicy !== 'Never'
  if (spec.restartPolicy === 'Never') return false
  return spec.restartPolicy !== 'OnFailure' || exitCode !== 0
}

export function statusOfRecord(record: ContainerRecord, waiting: string): ContainerStatus {
  const { container, role, state, lastState, restarts: restartCount, id, imageId } = record
  const runs = isRunning(record)
  const image = container.image ?? ''
  return {
    name: container.name,
    state: Object.keys(state).length > 0 ? state : { waiting: { reason: waiting } },
    lastState,
    ready: role === 'init' ? hasSucceeded(record) : runs && record.ready,
    restartCount,
    image,
    imageID: imageId,
    ...(id === '' ? {} : { containerID: id }),
    started: runs,
  }
}

export const runningState = (startedAt: number): ContainerState => ({ running: { startedAt: timestamp(startedAt) } })
