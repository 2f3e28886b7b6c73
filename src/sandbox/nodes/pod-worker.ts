import { isDeepStrictEqual } from 'node:util'
import { Backoff } from '../../base/backoff.ts'
import type { Timer } from '../../base/clock.ts'
import { isConflict, isNotFound } from '../../kube/api-error.ts'
import { compareVersions } from '../../kube/objects.ts'
import type { Ports } from '../controllers/cluster.ts'
import { type Pod, type PodStatus, pods, timestamp } from '../controllers/objects.ts'
import { isTerminal, isTerminating } from '../controllers/pods.ts'
import { type ContainerExit, ContainerStartError, goneExit, type NodePlace, type PodRuntime } from './pod-runtime.ts'
import { type ContainerRecord, isDone, isRunning, podStatus, recordsOf, restarts } from './pod-status.ts'

export interface PodWorkerPorts extends Ports {
  readonly runtime: PodRuntime
  /** Called with the reason why a pod cannot run, for the events of the pod. */
  warn?(pod: Pod, reason: string, message: string): void
}

/**
 * Delays before restarts, in milliseconds. The first restart is immediate, the second comes after 10 s, and each
 * further restart after twice the time.
 */
const restartDelays = { min: 10_000, max: 300_000 }
/** Milliseconds without a crash after which earlier crashes of a container no longer count. */
const soundAfter = 600_000

/** Makes one pod of a node match the API: its containers match its spec, and its status matches its containers. */
export class PodWorker {
  readonly #ports: PodWorkerPorts
  readonly #place: NodePlace
  readonly #done: () => void
  readonly #records: ContainerRecord[]
  readonly #startTime: number
  readonly #backoff: Backoff
  #pod: Pod
  #podIP = ''
  #gone = false
  #ending = false
  #stopped = false
  #running = false
  #dirty = false
  #timer: Timer | undefined

  /** @param done called when the worker has nothing left to do for the pod */
  constructor(ports: PodWorkerPorts, place: NodePlace, pod: Pod, done: () => void) {
    this.#ports = ports
    this.#place = place
    this.#pod = pod
    this.#done = done
    this.#records = recordsOf(pod)
    this.#startTime = Date.parse(pod.status?.startTime ?? '') || ports.clock.now()
    this.#backoff = new Backoff({ first: 200, random: ports.random })
  }

  update(pod: Pod): void {
    this.#pod = pod
    this.#wake()
  }

  /** Stops all running containers, because the pod was deleted in the API server. */
  remove(): void {
    this.#gone = true
    this.#wake()
  }

  /** Stops the worker. Containers keep running, as when a real kubelet stops. */
  close(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #wake(): void {
    this.#dirty = true
    if (this.#running || this.#stopped) return
    this.#running = true
    queueMicrotask(() => void this.#run())
  }

  async #run(): Promise<void> {
    while (this.#dirty && !this.#stopped) {
      this.#dirty = false
      this.#timer?.cancel()
      try {
        await this.#reconcile()
        this.#backoff.reset()
      } catch (error) {
        // A conflict is temporary, or another pod now has the name. In both cases, the watch shows the new state.
        if (!isConflict(error) && !this.#stopped)
          this.#ports.failed(`pod ${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`, error)
        this.#wakeAfter(this.#backoff.next())
      }
    }
    this.#running = false
  }

  #wakeAfter(delay: number): void {
    this.#timer?.cancel()
    this.#timer = this.#ports.clock.after(delay, () => this.#wake())
  }

  async #reconcile(): Promise<void> {
    if (this.#gone || isTerminating(this.#pod)) return this.#terminate()
    if (isTerminal(this.#pod)) return
    await this.#startPod()
    await this.#startContainers()
    await this.#report()
    this.#planRestart()
  }

  async #terminate(): Promise<void> {
    this.#ending = true
    const grace = this.#gone ? 0 : this.#grace
    // Stop sidecars last, because they serve the other containers.
    await this.#stopRunning((role) => role !== 'sidecar', grace)
    await this.#stopRunning((role) => role === 'sidecar', grace)
    await this.#ports.runtime.stopPod(this.#pod)
    await this.#report()
    const { name, namespace, uid } = this.#pod.metadata
    const options = { preconditions: { uid }, gracePeriodSeconds: 0 }
    if (!this.#gone) await unlessGone(this.#ports.client.delete(pods, { name, namespace }, options))
    // Finalizers may keep the object, but the node's work for the pod is done.
    this.close()
    this.#done()
  }

  /** Seconds within which the pod has to end. */
  get #grace(): number {
    const { metadata, spec } = this.#pod
    return metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30
  }

  async #stopRunning(which: (role: string) => boolean, graceSeconds: number): Promise<void> {
    const doomed = this.#records.filter((record) => isRunning(record) && which(record.role))
    await Promise.all(doomed.map(({ container }) => this.#ports.runtime.stop(this.#pod, container, graceSeconds)))
    // A container that an earlier kubelet started, and that this kubelet did not find, has ended unseen.
    for (const record of doomed) if (isRunning(record)) this.#ended(record, goneExit)
  }

  async #startPod(): Promise<void> {
    const isFirst = this.#podIP === ''
    try {
      const { podIP } = await this.#ports.runtime.startPod(this.#pod, this.#place)
      this.#podIP = podIP
    } catch (error) {
      if (error instanceof ContainerStartError) this.#ports.warn?.(this.#pod, error.reason, error.message)
      throw error
    }
    if (isFirst && this.#pod.status?.startTime === undefined) await this.#report()
  }

  async #startContainers(): Promise<void> {
    const main = this.#records.filter(({ role }) => role === 'main')
    const hasStarted = main.some(({ state, lastState }) => state.running || state.terminated || lastState.terminated)
    for (const record of this.#records) {
      if (record.role === 'main' || (hasStarted && record.role === 'init')) continue
      await this.#bring(record)
      if (!isDone(record) && !hasStarted) return
    }
    for (const record of main) await this.#bring(record)
    if (!main.every((record) => record.state.terminated && !this.#willRestart(record))) return
    // Without other containers, sidecars have no purpose, so the pod ends.
    this.#ending = true
    await this.#stopRunning((role) => role === 'sidecar', this.#grace)
  }

  #willRestart(record: ContainerRecord): boolean {
    const { terminated } = record.state
    return terminated !== undefined && restarts(this.#pod, record, terminated.exitCode)
  }

  /** Starts a container that should run but does not. */
  async #bring(record: ContainerRecord): Promise<void> {
    if (isRunning(record) && record.attached) return
    if (record.state.terminated && !this.#willRestart(record)) return
    if (record.notBefore > this.#ports.clock.now() || this.#ending) return
    try {
      const started = await this.#ports.runtime.start(this.#pod, record.container, {
        ready: (ready) => {
          record.ready = ready
          this.#wake()
        },
        exited: (exit) => {
          this.#ended(record, exit)
          this.#wake()
        },
      })
      if (started.id !== record.id) this.#replaced(record)
      record.restarts = started.restarts ?? record.restarts
      record.id = started.id
      record.imageId = started.imageId
      record.startedAt = started.startedAt
      record.attached = true
      record.state = { running: { startedAt: timestamp(started.startedAt) } }
    } catch (error) {
      if (!(error instanceof ContainerStartError)) throw error
      this.#notStarted(record, error)
    }
  }

  #replaced(record: ContainerRecord): void {
    if (isRunning(record)) this.#ended(record, goneExit)
    if (record.state.terminated) record.lastState = { terminated: record.state.terminated }
    if (record.id !== '') record.restarts++
    record.ready = false
  }

  #notStarted(record: ContainerRecord, { reason, message }: ContainerStartError): void {
    if (record.state.terminated) record.lastState = { terminated: record.state.terminated }
    record.state = { waiting: { reason, message } }
    // A missing object may appear at any time. So the delay grows only after failed starts, and not while an object is
    // missing.
    const isTried = !['CreateContainerConfigError', 'CreateContainerError', 'ErrImageNeverPull'].includes(reason)
    record.notBefore = this.#ports.clock.now() + (isTried ? restartDelay(++record.crashes) : restartDelays.min)
    this.#ports.warn?.(this.#pod, 'Failed', `${reason}: ${message}`)
  }

  #ended(record: ContainerRecord, { exitCode, reason, message, finishedAt }: ContainerExit): void {
    const now = this.#ports.clock.now()
    record.ready = false
    const terminated = {
      ...{ exitCode, reason, ...(message !== undefined && { message }) },
      startedAt: record.startedAt > 0 ? timestamp(record.startedAt) : null,
      finishedAt: timestamp(finishedAt ?? now),
      ...(record.id !== '' && { containerID: record.id }),
    }
    record.state = { terminated }
    if (this.#ending || !restarts(this.#pod, record, exitCode)) return
    if (now - record.startedAt > soundAfter) record.crashes = 0
    const delay = restartDelay(record.crashes++)
    record.notBefore = now + delay
    if (delay === 0) return
    const text = `back-off ${delay / 1000}s restarting failed container ${record.container.name}`
    record.lastState = { terminated }
    record.state = { waiting: { reason: 'CrashLoopBackOff', message: text } }
    this.#ports.warn?.(this.#pod, 'BackOff', text)
  }

  #planRestart(): void {
    const now = this.#ports.clock.now()
    const due = this.#records.map(({ notBefore }) => notBefore).filter((time) => time > now)
    if (due.length > 0 && !this.#ending) this.#wakeAfter(Math.min(...due) - now)
  }

  async #report(): Promise<void> {
    if (this.#gone) return
    const { clock, client } = this.#ports
    const observed = {
      ...{ records: this.#records, hostIP: this.#place.address, startTime: this.#startTime, ending: this.#ending },
      podIP: this.#podIP || (this.#pod.status?.podIP ?? ''),
    }
    const status = podStatus(this.#pod, observed, clock.now())
    if (isSame(status, this.#pod.status)) return
    const { name, namespace, uid } = this.#pod.metadata
    const patch = { metadata: { uid }, status: patchOf(status) }
    const call = client.patch(pods, { name, namespace }, { type: 'strategic', patch }, { subresource: 'status' })
    const written = await unlessGone(call)
    const version = ({ metadata }: Pod): string => metadata.resourceVersion ?? '0'
    // During the write, the watch may have brought an even newer state.
    if (written !== undefined && compareVersions(version(written), version(this.#pod)) > 0) this.#pod = written
  }
}

/** Milliseconds until a restart after this many consecutive crashes. */
const restartDelay = (crashes: number): number =>
  crashes === 0 ? 0 : Math.min(restartDelays.max, restartDelays.min * 2 ** (crashes - 1))

/**
 * A patch with the status. The server merges conditions by type, so conditions of other writers stay. Therefore
 * outdated fields of a condition must be removed explicitly.
 */
const patchOf = (status: PodStatus): object => ({
  ...status,
  conditions: (status.conditions ?? []).map((condition) => ({ reason: null, message: null, ...condition })),
})

function isSame({ conditions = [], ...fields }: PodStatus, known: PodStatus = {}): boolean {
  const sameCondition = (condition: (typeof conditions)[number]): boolean => {
    const before = known.conditions?.find(({ type }) => type === condition.type)
    return before?.status === condition.status && before.message === condition.message
  }
  return (
    conditions.every(sameCondition) &&
    Object.entries(fields).every(([name, value]) => isDeepStrictEqual(value, known[name as keyof PodStatus]))
  )
}

async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (!isNotFound(error)) throw error
    return undefined
  }
}
