import type { Clock } from '../../base/clock.ts'
import type { Container, Pod } from '../controllers/objects.ts'
import { type Confinement, confinementOf } from './confinement.ts'
import { recordingScheme } from './node-registration.ts'
import type { ContainerExit, ContainerObserver, NodePlace, PodRuntime, StartedContainer } from './pod-runtime.ts'

interface Process extends StartedContainer {
  readonly confinement: Confinement
  observer: ContainerObserver
}

/** A runtime that runs no processes. It records which containers would run, and under which profiles. */
export class RecordingRuntime implements PodRuntime {
  readonly #pods = new Map<string, { readonly podIP: string; readonly processes: Map<string, Process> }>()
  readonly #addresses = new Map<string, number>()
  readonly #clock: Clock
  #ids = 0

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock
  }

  /** The confinement of a running container; undefined if the container does not run. */
  confinement(pod: Pod, container: string): Confinement | undefined {
    return this.#pods.get(pod.metadata.uid)?.processes.get(container)?.confinement
  }

  async startPod({ metadata: { uid }, spec }: Pod, node: NodePlace): Promise<{ podIP: string }> {
    const known = this.#pods.get(uid)
    if (known) return { podIP: known.podIP }
    const podIP = spec.hostNetwork ? node.address : this.#nextAddress(node)
    this.#pods.set(uid, { podIP, processes: new Map() })
    return { podIP }
  }

  async start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer> {
    const { processes } = this.#pods.get(pod.metadata.uid)!
    const process = processes.get(container.name) ?? {
      id: `${recordingScheme}//${String(++this.#ids).padStart(64, '0')}`,
      imageId: `sha256:${container.image ?? ''}`,
      startedAt: this.#clock.now(),
      confinement: confinementOf(pod, container),
      observer,
    }
    process.observer = observer
    processes.set(container.name, process)
    setImmediate(() => process.observer.ready(true))
    return process
  }

  async stop(pod: Pod, { name }: Container, _graceSeconds: number): Promise<void> {
    this.end(pod, name, { exitCode: 0, reason: 'Completed' })
  }

  async stopPod({ metadata: { uid } }: Pod): Promise<void> {
    this.#pods.delete(uid)
  }

  protected end(pod: Pod, container: string, exit: ContainerExit): void {
    const { processes } = this.#pods.get(pod.metadata.uid) ?? {}
    const process = processes?.get(container)
    if (processes?.delete(container)) process?.observer.exited(exit)
  }

  /** The next address of the node's block. An address is used again only after all other addresses were used. */
  #nextAddress({ name, podCidr }: NodePlace): string {
    const next = this.#addresses.get(name) ?? 0
    this.#addresses.set(name, next + 1)
    return podCidr.replace('.0/24', `.${2 + (next % 253)}`)
  }
}
