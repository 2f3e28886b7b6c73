import { type Clock, sleep } from '../../../src/base/clock.ts'
import type { Container, Pod } from '../../../src/sandbox/controllers/objects.ts'
import {
  type ContainerObserver,
  ContainerStartError,
  type StartedContainer,
} from '../../../src/sandbox/nodes/pod-runtime.ts'
import { RecordingRuntime } from '../../../src/sandbox/nodes/recording-runtime.ts'

/** The behaviour of a fake process. Times are milliseconds after its start. */
export interface Behaviour {
  readonly readyAfter?: number
  /** Milliseconds until the process exits; default: it runs until it is stopped. */
  readonly exitAfter?: number
  readonly exitCode?: number
  /** The start fails with this error. */
  readonly startError?: { readonly reason: string; readonly message: string }
  /** Milliseconds that the process takes to end after a request to stop. */
  readonly stopAfter?: number
}

export interface BehavingRuntimeOptions {
  readonly clock: Clock
  /** Behaviour of a container's process at its nth start (from 0); by default it is ready at once and keeps running. */
  readonly behaviour?: (pod: Pod, container: Container, start: number) => Behaviour | undefined
}

const keyOf = ({ metadata: { uid } }: Pod, { name }: Container): string => `${uid}/${name}`

/** A runtime without real processes. Its simulated processes take time, fail and end. */
export class BehavingRuntime extends RecordingRuntime {
  readonly #options: BehavingRuntimeOptions
  readonly #starts = new Map<string, number>()
  readonly #lives = new Map<string, { id: string; readyAt: number; behaviour: Behaviour }>()

  constructor(options: BehavingRuntimeOptions) {
    super(options)
    this.#options = options
  }

  isRunning(pod: Pod, container: string): boolean {
    return this.confinement(pod, container) !== undefined
  }

  /** Ends a container's process as if it exited by itself. */
  crash(pod: Pod, container: string, exitCode = 1): void {
    this.end(pod, container, { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' })
  }

  override async start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer> {
    const { clock } = this.#options
    const key = keyOf(pod, container)
    const isNew = !this.isRunning(pod, container.name)
    const life = isNew ? this.#begin(pod, container) : this.#lives.get(key)!
    const started = await super.start(pod, container, {
      exited: (exit) => observer.exited(exit),
      ready: () =>
        clock.after(Math.max(0, life.readyAt - clock.now()), () => {
          if (this.#lives.get(key) === life && this.isRunning(pod, container.name)) observer.ready(true)
        }),
    })
    life.id = started.id
    const { exitAfter, exitCode = 0 } = life.behaviour
    if (isNew && exitAfter !== undefined)
      clock.after(exitAfter, () => this.#lives.get(key) === life && this.crash(pod, container.name, exitCode))
    return started
  }

  #begin(pod: Pod, container: Container) {
    const { clock, behaviour: of } = this.#options
    const key = keyOf(pod, container)
    const count = this.#starts.get(key) ?? 0
    const behaviour = of?.(pod, container, count) ?? {}
    const { startError, readyAfter = 0 } = behaviour
    if (startError) throw new ContainerStartError(startError.reason, startError.message)
    this.#starts.set(key, count + 1)
    const life = { id: '', readyAt: clock.now() + readyAfter, behaviour }
    this.#lives.set(key, life)
    return life
  }

  override async stop(pod: Pod, container: Container, graceSeconds: number): Promise<void> {
    const { stopAfter = 0 } = this.#lives.get(keyOf(pod, container))?.behaviour ?? {}
    const grace = graceSeconds * 1000
    if (stopAfter > 0) await sleep(this.#options.clock, Math.min(stopAfter, grace))
    const exit = stopAfter > grace ? { exitCode: 137, reason: 'Error' } : { exitCode: 0, reason: 'Completed' }
    this.end(pod, container.name, exit)
  }
}
