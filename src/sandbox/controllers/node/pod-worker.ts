import type { Clock, Timer } from '../../../base/clock.ts'
import type { Random } from '../../../base/random.ts'
import { timestamp } from '../../api-server/context.ts'
import { type JsonObject, sameJson } from '../../api-server/schema/json.ts'
import { backoff } from '../backoff.ts'
import { type ClusterClient, isStatus } from '../cluster-client.ts'
import type { EventRecorder } from '../event-recorder.ts'
import { isTerminal, isTerminating } from '../pod-state.ts'
import { pods } from '../resources.ts'
import type { Condition, Pod, PodStatus } from '../types.ts'
import {
  type ContainerRecord,
  hasSucceeded,
  isDone,
  isRunning,
  recordsOf,
  restarts,
  runningState,
} from './container-record.ts'
import { type ContainerExit, ContainerStartError, type NodePlace, type PodRuntime } from './pod-runtime.ts'
import { podStatus } from './pod-status.ts'

export interface PodWorkerPorts {
  readonly client: ClusterClient
  readonly clock: Clock
  readonly random: Random
  readonly runtime: PodRuntime
  readonly events: EventRecorder | undefined
  readonly failed: (what: string, error: unknown) => void
}

/** The first restart follows at once, the next after 10 s, and then each after twice as long. Milliseconds. */
const restartDelays = { shortest: 10_000, longest: 300_000 }
/** Reasons that a kubelet does not back off from. */
const sooner = new Set(['CreateContainerConfigError', 'CreateContainerError', 'ErrImageNeverPull'])
/** After so long without a crash a container counts as sound again. Milliseconds. */
const soundAfter = 600_000

/** Brings one pod of a node to what the API says: its containers to what its spec wants, and its status to what they are. */
export class PodWorker {
  private readonly ports: PodWorkerPorts
  private readonly place: NodePlace
  private readonly done: () => void
  private pod: Pod
  private readonly records: ContainerRecord[]
  private readonly startTime: number
  private podIP = ''
  private gone = false
  private ending = false
  private stopped = false
  private running = false
  private dirty = false
  private failures = 0
  private timer: Timer | undefined

  /** @param done is called once there is nothing left to do for the pod */
  constructor(ports: PodWorkerPorts, place: NodePlace, pod: Pod, done: () => void) {
    this.ports = ports
    this.place = place
    this.pod = pod
    this.done = done
    this.records = recordsOf(pod)
    this.startTime = Date.parse(pod.status?.startTime ?? '') || ports.clock.now()
  }

  update(pod: Pod): void {
    const grace = graceOf(this.pod)
    this.pod = pod
    // Someone has lost patience with a pod that is being stopped already.
    if (this.ending && graceOf(pod) < grace) void this.stopRunning(() => true, graceOf(pod))
    this.wake()
  }

  /** The API has it no more: whatever still runs is ended. */
  remove(): void {
    this.gone = true
    if (this.ending) void this.stopRunning(() => true, 0)
    this.wake()
  }

  /** Leaves the containers as they are, as a kubelet does that is stopped. */
  close(): void {
    this.stopped = true
    this.timer?.cancel()
  }

  wake(): void {
    this.dirty = true
    if (this.running || this.stopped) return
    this.running = true
    queueMicrotask(() => void this.run())
  }

  private async run(): Promise<void> {
    while (this.dirty && !this.stopped) {
      this.dirty = false
      this.timer?.cancel()
      try {
        await this.reconcile()
        this.failures = 0
      } catch (error) {
        // A conflict is passing, or another pod has the name by now, which the watch says.
        if (!isStatus(error, 409))
          this.ports.failed(`pod ${this.pod.metadata.namespace}/${this.pod.metadata.name}`, error)
        this.wakeAfter(backoff(this.failures++, { shortest: 100, longest: 30_000 }, this.ports.random))
      }
    }
    this.running = false
  }

  private wakeAfter(delay: number): void {
    this.timer?.cancel()
    this.timer = this.ports.clock.after(delay, () => this.wake())
  }

  private async reconcile(): Promise<void> {
    if (this.gone) return this.finish()
    if (isTerminating(this.pod)) return this.terminate()
    if (isTerminal(this.pod)) return
    await this.startPod()
    await this.startContainers()
    await this.report()
    this.planRestart()
  }

  private async finish(): Promise<void> {
    await this.stopAll(0)
    this.close()
    this.done()
  }

  private async terminate(): Promise<void> {
    this.ending = true
    await this.stopAll(graceOf(this.pod))
    await this.report()
    const { uid = '' } = this.pod.metadata
    if (!this.gone) await this.ports.client.delete(pods, this.pod, { uid, gracePeriodSeconds: 0 })
    // Finalizers may keep the object; for the node the pod is over.
    this.close()
    this.done()
  }

  /** The sidecars last, as they serve the others. */
  private async stopAll(graceSeconds: number): Promise<void> {
    await this.stopRunning(({ role }) => role !== 'sidecar', graceSeconds)
    await this.stopRunning(({ role }) => role === 'sidecar', graceSeconds)
    await this.ports.runtime.stopPod(this.pod)
  }

  private async stopRunning(which: (record: ContainerRecord) => boolean, graceSeconds: number): Promise<void> {
    const { runtime } = this.ports
    const doomed = this.records.filter((record) => isRunning(record) && which(record))
    await Promise.all(doomed.map(({ container }) => runtime.stop(this.pod, container, graceSeconds)))
    // What was running before this kubelet came, and nobody found again, has ended unseen.
    for (const record of doomed) if (isRunning(record)) this.endedUnseen(record)
  }

  private endedUnseen(record: ContainerRecord): void {
    this.ended(record, {
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was terminated',
    })
  }

  private async startPod(): Promise<void> {
    const first = this.podIP === ''
    try {
      const { podIP } = await this.ports.runtime.startPod(this.pod, this.place)
      this.podIP = podIP
    } catch (error) {
      if (error instanceof ContainerStartError)
        this.ports.events?.warning('kubelet', pods, this.pod, error.reason, error.message)
      throw error
    }
    if (first && this.pod.status?.startTime === undefined) await this.report()
  }

  private async startContainers(): Promise<void> {
    const main = this.records.filter(({ role }) => role === 'main')
    const begun = main.some(({ state, lastState }) => state.running || state.terminated || lastState.terminated)
    for (const record of this.records) {
      if (record.role === 'main' || (begun && record.role === 'init')) continue
      await this.bring(record)
      if (!isDone(record) && !begun) return
    }
    for (const record of main) await this.bring(record)
    // Nothing is left that a sidecar could serve.
    const over = main.every((record) => record.state.terminated && !this.willRestart(record))
    if (!over) return
    this.ending = true
    await this.stopRunning(({ role }) => role === 'sidecar', graceOf(this.pod))
  }

  private willRestart(record: ContainerRecord): boolean {
    const { terminated } = record.state
    return terminated !== undefined && restarts(this.pod, record, terminated.exitCode)
  }

  /** Starts a container that should run and does not. */
  private async bring(record: ContainerRecord): Promise<void> {
    if (isRunning(record) && record.attached) return
    if (record.role === 'init' && hasSucceeded(record)) return
    if (record.state.terminated && !this.willRestart(record)) return
    if (record.notBefore > this.ports.clock.now() || this.ending) return
    await this.start(record)
  }

  private async start(record: ContainerRecord): Promise<void> {
    const { runtime } = this.ports
    try {
      const started = await runtime.start(this.pod, record.container, {
        ready: (ready) => {
          record.ready = ready
          this.wake()
        },
        exited: (exit) => {
          this.ended(record, exit)
          this.wake()
        },
      })
      const before = record.id
      if (started.id !== before) this.restarted(record, before !== '')
      record.restarts = started.restarts ?? record.restarts
      record.id = started.id
      record.imageId = started.imageId
      record.startedAt = started.startedAt
      record.attached = true
      record.state = runningState(started.startedAt)
      this.say('Started', `Container started`, started.id !== before)
    } catch (error) {
      this.notStarted(record, error)
    }
  }

  private restarted(record: ContainerRecord, again: boolean): void {
    if (isRunning(record)) this.endedUnseen(record)
    if (record.state.terminated) record.lastState = { terminated: record.state.terminated }
    if (again) record.restarts++
    record.ready = false
  }

  private notStarted(record: ContainerRecord, error: unknown): void {
    if (!(error instanceof ContainerStartError)) throw error
    if (record.state.terminated) record.lastState = { terminated: record.state.terminated }
    record.state = { waiting: { reason: error.reason, message: error.message } }
    // What is missing may come at any time: only what was tried in earnest is tried less and less often.
    const delay = sooner.has(error.reason) ? restartDelays.shortest : this.restartDelay(++record.crashes)
    record.notBefore = this.ports.clock.now() + delay
    this.ports.events?.warning('kubelet', pods, this.pod, 'Failed', `Error: ${error.message}`)
  }

  /** After so many crashes in a row. */
  private restartDelay(crashes: number): number {
    if (crashes === 0) return 0
    return Math.min(restartDelays.longest, restartDelays.shortest * 2 ** (crashes - 1))
  }

  private ended(record: ContainerRecord, { exitCode, signal, reason, message, ...exit }: ContainerExit): void {
    const now = this.ports.clock.now()
    record.ready = false
    record.state = {
      terminated: {
        exitCode,
        ...(signal === undefined ? {} : { signal }),
        reason,
        ...(message === undefined ? {} : { message }),
        startedAt: record.startedAt > 0 ? timestamp(record.startedAt) : null,
        finishedAt: timestamp(exit.finishedAt ?? now),
        ...(record.id === '' ? {} : { containerID: record.id }),
      },
    }
    if (this.ending || !restarts(this.pod, record, exitCode)) return
    if (now - record.startedAt > soundAfter) record.crashes = 0
    const delay = this.restartDelay(record.crashes++)
    record.notBefore = now + delay
    if (delay > 0) this.backOff(record, delay)
  }

  private backOff(record: ContainerRecord, delay: number): void {
    const { name } = record.container
    const { name: pod, namespace, uid } = this.pod.metadata
    const message = `back-off ${delay / 1000}s restarting failed container=${name} pod=${pod}_${namespace}(${uid})`
    record.lastState = { terminated: record.state.terminated! }
    record.state = { waiting: { reason: 'CrashLoopBackOff', message } }
    const text = `Back-off restarting failed container ${name} in pod ${pod}_${namespace}(${uid})`
    this.ports.events?.warning('kubelet', pods, this.pod, 'BackOff', text)
  }

  private say(reason: string, message: string, news: boolean): void {
    if (news) this.ports.events?.normal('kubelet', pods, this.pod, reason, message)
  }

  private planRestart(): void {
    const now = this.ports.clock.now()
    const due = this.records.map(({ notBefore }) => notBefore).filter((time) => time > now)
    if (due.length > 0 && !this.ending) this.wakeAfter(Math.min(...due) - now)
  }

  private async report(): Promise<void> {
    if (this.gone) return
    const { clock, client } = this.ports
    const observed = {
      records: this.records,
      hostIP: this.place.address,
      podIP: this.podIP || (this.pod.status?.podIP ?? ''),
      startTime: this.startTime,
      ending: this.ending,
    }
    const status = podStatus(this.pod, observed, clock.now())
    if (saysTheSame(status, this.pod.status)) return
    const { uid = '' } = this.pod.metadata
    const patch = { metadata: { uid }, status: patchFor(status) }
    try {
      this.pod = newerOf(
        this.pod,
        await client.patch(pods, this.pod, patch, { type: 'strategic-merge', subresource: 'status' }),
      )
    } catch (error) {
      // Deleted: the watch says so.
      if (!isStatus(error, 404)) throw error
    }
  }
}

/** Seconds that a pod has to end. */
function graceOf({ metadata, spec }: Pod): number {
  return metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30
}

/** The watch may have brought a newer state while the write was under way. */
function newerOf(known: Pod, written: Pod): Pod {
  const version = ({ metadata }: Pod): number => Number(metadata.resourceVersion ?? 0)
  return version(known) > version(written) ? known : written
}

/** Conditions are merged by type, so that those of others stay; what a condition says no more has to be taken back. */
const patchFor = (status: PodStatus): JsonObject => ({
  ...status,
  conditions: (status.conditions ?? []).map((condition) => ({ reason: null, message: null, ...condition })),
})

function saysTheSame(status: PodStatus, known: PodStatus | undefined): boolean {
  if (!known) return false
  const { conditions = [], ...fields } = status
  const same = (condition: Condition): boolean => {
    const before = known.conditions?.find(({ type }) => type === condition.type)
    return before !== undefined && sameJson({ lastProbeTime: null, ...before }, condition)
  }
  return (
    conditions.every(same) &&
    Object.entries(fields).every(([name, value]) => sameJson(value, (known as JsonObject)[name]))
  )
}
