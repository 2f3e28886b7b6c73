import type { Clock, Timer } from '../../../base/clock.ts'
import type { Random } from '../../../base/random.ts'
import type { Container, Pod } from '../types.ts'
import { type Confinement, confinementOf } from './confinement.ts'
import type {
  ContainerExit,
  ContainerObserver,
  ExecResult,
  LogOptions,
  NodePlace,
  PodConsole,
  PodRuntime,
  StartedContainer,
} from './pod-runtime.ts'
import { ContainerStartError } from './pod-runtime.ts'

/** What a made-up process does. Times are milliseconds after its start. */
export interface Behaviour {
  /** Never when null. */
  readonly readyAfter?: number | null
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
  /** Also keep each start for `starts`. On unless said otherwise; a simulation of many nodes does without. */
  readonly record?: boolean
}

/** One start of a container. */
export interface ContainerStart extends Confinement {
  readonly namespace: string
  readonly pod: string
  readonly uid: string
  readonly node: string
  readonly container: string
  readonly image: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

interface Process {
  readonly started: StartedContainer
  readonly confinement: Confinement
  readonly behaviour: Behaviour
  readonly timers: Timer[]
  observer: ContainerObserver
  ready: boolean
}

interface RunningPod {
  readonly podIP: string
  readonly processes: Map<string, Process>
  readonly starts: Map<string, number>
}

/**
 * Runs nothing, and keeps the books: which containers run, how often they were started, and under which profiles. Tests
 * ask it what is confined, and make containers fail.
 */
export class RecordingRuntime implements PodRuntime, PodConsole {
  readonly starts: ContainerStart[] = []
  private readonly pods = new Map<string, RunningPod>()
  private readonly addresses = new Map<string, number>()
  private readonly options: RecordingRuntimeOptions

  constructor(options: RecordingRuntimeOptions) {
    this.options = options
  }

  /** What confines a container that runs; undefined when it does not run. */
  confinement(pod: Pod, container: string): Confinement | undefined {
    return this.pods.get(uidOf(pod))?.processes.get(container)?.confinement
  }

  /** Names of the containers of a pod that run. */
  running(pod: Pod): string[] {
    return [...(this.pods.get(uidOf(pod))?.processes.keys() ?? [])]
  }

  /** Ends the process of a container by itself, as a crash would. @returns whether it ran */
  crash(pod: Pod, container: string, exitCode = 1): boolean {
    const exit = { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' }
    return this.end(pod, container, exit)
  }

  /** As a readiness probe would find. @returns whether the container runs */
  setReady(pod: Pod, container: string, ready: boolean): boolean {
    const process = this.pods.get(uidOf(pod))?.processes.get(container)
    if (!process) return false
    process.ready = ready
    process.observer.ready(ready)
    return true
  }

  async startPod(pod: Pod, node: NodePlace): Promise<{ podIP: string }> {
    const known = this.pods.get(uidOf(pod))
    if (known) return { podIP: known.podIP }
    const podIP = pod.spec.hostNetwork ? node.address : this.nextAddress(node)
    this.pods.set(uidOf(pod), { podIP, processes: new Map(), starts: new Map() })
    return { podIP }
  }

  async start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer> {
    const { clock } = this.options
    const there = this.pods.get(uidOf(pod))
    if (!there) throw new ContainerStartError('RunContainerError', `pod ${pod.metadata.name} has not been started`)
    const known = there.processes.get(container.name)
    if (known) {
      known.observer = observer
      clock.after(0, () => known.observer.ready(known.ready))
      return known.started
    }
    const count = there.starts.get(container.name) ?? 0
    const behaviour = this.options.behaviour?.(pod, container, count) ?? {}
    const { startError } = behaviour
    if (startError) throw new ContainerStartError(startError.reason, startError.message)
    there.starts.set(container.name, count + 1)
    const process = this.launch(pod, container, behaviour, observer)
    there.processes.set(container.name, process)
    return process.started
  }

  async stop(pod: Pod, container: Container, graceSeconds: number): Promise<void> {
    const process = this.pods.get(uidOf(pod))?.processes.get(container.name)
    if (!process) return
    const { stopAfter = 0 } = process.behaviour
    const killed = stopAfter > graceSeconds * 1000
    if (stopAfter > 0)
      await new Promise<void>((resolve) => {
        this.options.clock.after(Math.min(stopAfter, graceSeconds * 1000), resolve)
      })
    this.end(pod, container.name, killed ? { exitCode: 137, reason: 'Error' } : { exitCode: 0, reason: 'Completed' })
  }

  async stopPod(pod: Pod): Promise<void> {
    const there = this.pods.get(uidOf(pod))
    for (const { timers } of there?.processes.values() ?? []) for (const timer of timers) timer.cancel()
    this.pods.delete(uidOf(pod))
  }

  async *logs(pod: Pod, container: Container, _options: LogOptions): AsyncIterable<Uint8Array> {
    const process = this.pods.get(uidOf(pod))?.processes.get(container.name)
    if (!process) return
    const time = new Date(process.started.startedAt).toISOString()
    yield new TextEncoder().encode(`${time} ${container.name} started from ${container.image ?? ''}\n`)
  }

  async exec(pod: Pod, container: Container, command: readonly string[]): Promise<ExecResult> {
    const runs = this.pods.get(uidOf(pod))?.processes.has(container.name) === true
    return runs
      ? { exitCode: 0, stdout: `${command.join(' ')}\n`, stderr: '' }
      : { exitCode: 126, stdout: '', stderr: `container ${container.name} does not run\n` }
  }

  private launch(pod: Pod, container: Container, behaviour: Behaviour, observer: ContainerObserver): Process {
    const { clock, record = true } = this.options
    const startedAt = clock.now()
    const confinement = confinementOf(pod, container)
    const started = {
      id: `recording://${this.randomHex(64)}`,
      imageId: `sha256:${container.image ?? ''}`,
      startedAt,
    }
    const process: Process = { started, confinement, behaviour, observer, timers: [], ready: false }
    if (record) this.starts.push({ ...this.about(pod, container), ...confinement, at: startedAt })
    this.live(pod, container, process)
    return process
  }

  private live(pod: Pod, container: Container, process: Process): void {
    const { clock } = this.options
    const { readyAfter = 0, exitAfter, exitCode = 0 } = process.behaviour
    if (readyAfter !== null)
      process.timers.push(clock.after(readyAfter, () => void this.setReady(pod, container.name, true)))
    if (exitAfter !== undefined)
      process.timers.push(clock.after(exitAfter, () => void this.crash(pod, container.name, exitCode)))
  }

  private about({ metadata, spec }: Pod, { name, image = '' }: Container) {
    return {
      namespace: metadata.namespace ?? '',
      pod: metadata.name,
      uid: metadata.uid ?? '',
      node: spec.nodeName ?? '',
      container: name,
      image,
    }
  }

  private end(pod: Pod, container: string, exit: ContainerExit): boolean {
    const there = this.pods.get(uidOf(pod))
    const process = there?.processes.get(container)
    if (!there || !process) return false
    there.processes.delete(container)
    for (const timer of process.timers) timer.cancel()
    process.observer.exited(exit)
    return true
  }

  /** Goes through the node's block again and again: an address comes back only after all others. */
  private nextAddress({ name, podCidr }: NodePlace): string {
    const [network = '', bits = '24'] = podCidr.split('/')
    const base = network.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
    const size = 2 ** (32 - Number(bits)) - 3
    const next = this.addresses.get(name) ?? 0
    this.addresses.set(name, next + 1)
    const address = base + 2 + (next % size)
    return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
  }

  private randomHex(length: number): string {
    let text = ''
    while (text.length < length)
      text += Math.floor(this.options.random() * 0x100000000)
        .toString(16)
        .padStart(8, '0')
    return text.slice(0, length)
  }
}

const uidOf = ({ metadata }: Pod): string => metadata.uid ?? ''
