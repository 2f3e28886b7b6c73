import type { Clock, Timer } from '../../base/clock.ts'
import { sleep } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Container, Pod } from '../controllers/objects.ts'
import { type Confinement, confinementOf } from './confinement.ts'
import { recordingScheme } from './node-registration.ts'
import {
  type ContainerExit,
  type ContainerObserver,
  ContainerStartError,
  type NodePlace,
  type PodRuntime,
  type StartedContainer,
} from './pod-runtime.ts'

/** What a made-up process does. Times are milliseconds after its start. */
export interface Behaviour {
  readonly readyAfter?: number
  /** Runs until it is stopped when left out. */
  readonly exitAfter?: number
  readonly exitCode?: number
  /** Does not start, for this reason. */
  readonly startError?: { readonly reason: string; readonly message: string }
  /** How long it takes to end when it is asked to. */
  readonly stopAfter?: number
}

export interface RecordingRuntimeOptions {
  readonly clock: Clock
  readonly random: Random
  /** What the process of a container does at its nth start (from 0); by default it is ready at once and runs on. */
  readonly behaviour?: (pod: Pod, container: Container, start: number) => Behaviour | undefined
}

interface Process {
  readonly started: StartedContainer
  readonly confinement: Confinement
  readonly behaviour: Behaviour
  readonly timers: Timer[]
  observer: ContainerObserver
  isReady: boolean
}

interface RunningPod {
  readonly podIP: string
  readonly processes: Map<string, Process>
  readonly starts: Map<string, number>
}

/** Runs nothing, and keeps the books: which containers run, and under which profiles. Tests make containers fail. */
export class RecordingRuntime implements PodRuntime {
  readonly #pods = new Map<string, RunningPod>()
  readonly #addresses = new Map<string, number>()
  readonly #options: RecordingRuntimeOptions
  #ids = 0

  constructor(options: RecordingRuntimeOptions) {
    this.#options = options
  }

  /** What confines a container that runs; undefined when it does not run. */
  confinement(pod: Pod, container: string): Confinement | undefined {
    return this.#process(pod, container)?.confinement
  }

  /** Names of the containers of a pod that run. */
  running(pod: Pod): string[] {
    return [...(this.#pods.get(pod.metadata.uid)?.processes.keys() ?? [])]
  }

  /** Ends the process of a container by itself, as a crash would. */
  crash(pod: Pod, container: string, exitCode = 1): void {
    this.#end(pod, container, { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' })
  }

  async startPod({ metadata: { uid }, spec }: Pod, node: NodePlace): Promise<{ podIP: string }> {
    const known = this.#pods.get(uid)
    if (known) return { podIP: known.podIP }
    const podIP = spec.hostNetwork ? node.address : this.#nextAddress(node)
    this.#pods.set(uid, { podIP, processes: new Map(), starts: new Map() })
    return { podIP }
  }

  async start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer> {
    const { name } = container
    const there = this.#pods.get(pod.metadata.uid)
    if (!there) throw new ContainerStartError('RunContainerError', `pod ${pod.metadata.name} has not been started`)
    const known = there.processes.get(name)
    if (known) {
      known.observer = observer
      this.#options.clock.after(0, () => known.observer.ready(known.isReady))
      return known.started
    }
    const count = there.starts.get(name) ?? 0
    const behaviour = this.#options.behaviour?.(pod, container, count) ?? {}
    const { startError } = behaviour
    if (startError) throw new ContainerStartError(startError.reason, startError.message)
    there.starts.set(name, count + 1)
    const process = this.#launch(pod, container, behaviour, observer)
    there.processes.set(name, process)
    return process.started
  }

  async stop(pod: Pod, { name }: Container, graceSeconds: number): Promise<void> {
    const { stopAfter = 0 } = this.#process(pod, name)?.behaviour ?? {}
    const grace = graceSeconds * 1000
    if (stopAfter > 0) await sleep(this.#options.clock, Math.min(stopAfter, grace))
    const exit = stopAfter > grace ? { exitCode: 137, reason: 'Error' } : { exitCode: 0, reason: 'Completed' }
    this.#end(pod, name, exit)
  }

  async stopPod({ metadata: { uid } }: Pod): Promise<void> {
    for (const { timers } of this.#pods.get(uid)?.processes.values() ?? []) for (const timer of timers) timer.cancel()
    this.#pods.delete(uid)
  }

  #process({ metadata: { uid } }: Pod, container: string): Process | undefined {
    return this.#pods.get(uid)?.processes.get(container)
  }

  #launch(pod: Pod, container: Container, behaviour: Behaviour, observer: ContainerObserver): Process {
    const { clock } = this.#options
    const { readyAfter = 0, exitAfter, exitCode = 0 } = behaviour
    const id = `${recordingScheme}//${String(++this.#ids).padStart(64, '0')}`
    const started = { id, imageId: `sha256:${container.image ?? ''}`, startedAt: clock.now() }
    const confinement = confinementOf(pod, container)
    const process: Process = { started, confinement, behaviour, observer, timers: [], isReady: false }
    const becomeReady = (): void => {
      process.isReady = true
      process.observer.ready(true)
    }
    process.timers.push(clock.after(readyAfter, becomeReady))
    if (exitAfter !== undefined)
      process.timers.push(clock.after(exitAfter, () => this.crash(pod, container.name, exitCode)))
    return process
  }

  #end(pod: Pod, container: string, exit: ContainerExit): void {
    const process = this.#process(pod, container)
    if (!process) return
    this.#pods.get(pod.metadata.uid)?.processes.delete(container)
    for (const timer of process.timers) timer.cancel()
    process.observer.exited(exit)
  }

  /** Goes through the node's block again and again: an address comes back only after all others. */
  #nextAddress({ name, podCidr }: NodePlace): string {
    const next = this.#addresses.get(name) ?? 0
    this.#addresses.set(name, next + 1)
    return podCidr.replace('.0/24', `.${2 + (next % 253)}`)
  }
}
