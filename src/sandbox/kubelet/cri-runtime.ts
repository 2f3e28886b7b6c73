import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Container, Pod } from '../controllers/objects.ts'
import {
  type ContainerExit,
  type ContainerObserver,
  ContainerStartError,
  goneExit,
  type NodePlace,
  type PodRuntime,
  type StartedContainer,
} from '../nodes/pod-runtime.ts'
import {
  type CriContainer,
  type CriContainerStatus,
  type CriPort,
  milliseconds,
  podUidLabel,
  startStep,
} from './cri.ts'
import { environmentOf } from './environment.ts'
import { ConfigError, type PodObjects, type PodPlace } from './pod-objects.ts'
import {
  containerConfig,
  logFolder,
  type PodSandboxConfig,
  type RequestOptions,
  sandboxConfig,
} from './pod-requests.ts'
import type { PodVolumes } from './pod-volumes.ts'

export interface CriRuntimeOptions extends RequestOptions {
  readonly cri: CriPort
  readonly clock: Clock
  readonly volumes: Pick<PodVolumes, 'mounts' | 'refresh' | 'remove'>
  readonly objects: Pick<PodObjects, 'data'>
  /** Environment variables of every container. */
  readonly environment: Readonly<Record<string, string>>
  /** Called with a failure. The runtime tries the work again. */
  failed(what: string, error: unknown): void
}

interface Watched {
  readonly id: string
  readonly observer: ContainerObserver
}

interface RunningPod {
  pod: Pod
  readonly place: PodPlace
  readonly sandbox: { readonly id: string; readonly config: PodSandboxConfig }
  /** Watched containers, by name. */
  readonly watched: Map<string, Watched>
}

/** Milliseconds between two checks of running containers. */
const pollInterval = 500

/** Runs pods in containerd through CRI. Containers have labels, by which a restarted kubelet finds them. */
export class CriRuntime implements PodRuntime {
  readonly #options: CriRuntimeOptions
  readonly #pods = new Map<string, RunningPod>()
  /** Ids of containers whose end was reported to an observer. */
  readonly #reported = new Set<string>()
  #looking: Promise<void> | undefined
  #isClosed = false

  constructor(options: CriRuntimeOptions) {
    this.#options = options
  }

  /** Follows running containers until `close`. */
  async follow(): Promise<void> {
    while (!this.#isClosed) {
      await this.poll()
      await sleep(this.#options.clock, pollInterval)
    }
  }

  /** Stops following. All containers keep running. */
  close(): void {
    this.#isClosed = true
  }

  /** Reports ended containers to their observers. */
  poll(): Promise<void> {
    this.#looking ??= this.#poll()
      .catch((error: unknown) => this.#options.failed('check running containers', error))
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  async #poll(): Promise<void> {
    const before = Array.from(this.#pods.values(), ({ watched }) => [watched, [...watched]] as const)
    if (before.every(([, entries]) => entries.length === 0)) return
    const all = await this.#options.cri.containers()
    const running = new Set(all.filter(({ state }) => state === 'CONTAINER_RUNNING').map(({ id }) => id))
    for (const [watched, entries] of before)
      for (const [name, one] of entries) {
        if (running.has(one.id)) continue
        const status = await this.#options.cri.status(one.id)
        // The container may have been replaced during the call.
        if (watched.get(name) !== one || (status && status.state !== 'CONTAINER_EXITED')) continue
        watched.delete(name)
        this.#reported.add(one.id)
        one.observer.exited(status ? exitOf(status) : goneExit)
      }
  }

  async startPod(pod: Pod, { address }: NodePlace): Promise<{ podIP: string }> {
    const { cri } = this.#options
    const known = this.#pods.get(pod.metadata.uid)
    const sandboxes = await cri.sandboxes(pod.metadata.uid)
    const ready = sandboxes.find(({ state }) => state === 'SANDBOX_READY')
    if (known !== undefined && ready?.id === known.sandbox.id) {
      known.pod = pod
      return { podIP: known.place.podIP }
    }
    const [last, ...older] = sandboxes
    const config = sandboxConfig(pod, ready?.metadata?.attempt ?? (last?.metadata?.attempt ?? -1) + 1, this.#options)
    if (ready === undefined) {
      // Stopping a dead sandbox ends its remaining containers. Keep the last sandbox, for exit codes that are not
      // reported yet, and for logs.
      if (last !== undefined) await startStep('FailedCreatePodSandBox', cri.stopSandbox(last.id))
      for (const { id } of older) await startStep('FailedCreatePodSandBox', cri.removeSandbox(id))
      await mkdir(config.logDirectory, { recursive: true, mode: 0o755 })
    }
    const id = ready?.id ?? (await startStep('FailedCreatePodSandBox', cri.runSandbox(config)))
    const isOnHost = pod.spec.hostNetwork || !this.#options.ownNetwork
    const place = { podIP: isOnHost ? address : await cri.sandboxAddress(id), hostIP: address }
    this.#pods.set(pod.metadata.uid, { pod, place, sandbox: { id, config }, watched: known?.watched ?? new Map() })
    return { podIP: place.podIP }
  }

  async start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer> {
    const there = this.#pods.get(pod.metadata.uid)
    if (there === undefined)
      throw new ContainerStartError('RunContainerError', `the sandbox of pod ${pod.metadata.name} is gone`)
    try {
      const before = await this.#containersOf(pod, container.name)
      const status =
        (await this.#found(there, container, before[0])) ?? (await this.#startNew(there, container, before))
      this.#observe(there, container.name, status.id, observer)
      return { id: containerUrl(status.id), imageId: status.imageRef, startedAt: milliseconds(status.startedAt) }
    } catch (error) {
      // The pod shows an error of its spec, so do not retry here. Any other error is tried again.
      if (!(error instanceof ConfigError)) throw error
      throw new ContainerStartError('CreateContainerConfigError', error.message, { cause: error })
    }
  }

  /** Observes a container. Reports its end only after the caller knows that it started. */
  #observe({ watched }: RunningPod, name: string, id: string, observer: ContainerObserver): void {
    setImmediate(() => {
      watched.set(name, { id, observer })
      observer.ready(true)
      void this.poll()
    })
  }

  /** A container of an earlier kubelet that still runs, or whose end was not reported yet. */
  async #found({ pod, sandbox }: RunningPod, { name }: Container, newest: CriContainer | undefined) {
    if (newest === undefined) return undefined
    const { state, id, podSandboxId } = newest
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {}
    const isReported =
      this.#reported.has(id) ||
      [...containerStatuses, ...initContainerStatuses]
        .filter((one) => one.name === name)
        .flatMap(({ state, lastState }) => [state.terminated, lastState.terminated])
        .some((terminated) => terminated?.containerID === containerUrl(id))
    const goesOn =
      state === 'CONTAINER_RUNNING' ? podSandboxId === sandbox.id : state === 'CONTAINER_EXITED' && !isReported
    return goesOn ? this.#options.cri.status(id) : undefined
  }

  async #startNew(there: RunningPod, container: Container, before: readonly CriContainer[]) {
    const { cri } = this.#options
    const [last, ...older] = before
    const attempt = last === undefined ? 0 : (last.metadata?.attempt ?? 0) + 1
    // Keep the last container for its log, unless it never started.
    const useless = last !== undefined && last.state !== 'CONTAINER_EXITED' ? [last, ...older] : older
    for (const { id } of useless) {
      await cri.removeContainer(id)
      this.#reported.delete(id)
    }
    const id = await this.#create(there, container, attempt)
    // The runtime considers the container ended, and the error describes why.
    this.#reported.add(id)
    await startStep('RunContainerError', cri.startContainer(id))
    this.#reported.delete(id)
    const status = await cri.status(id)
    if (status === undefined) throw new ContainerStartError('RunContainerError', `container ${id} is gone`)
    return status
  }

  async #create({ pod, place, sandbox }: RunningPod, container: Container, attempt: number): Promise<string> {
    const { cri, volumes, objects, environment: base } = this.#options
    const image = await cri.image(container.image ?? '', container.imagePullPolicy ?? 'IfNotPresent', sandbox.config)
    const environment = await environmentOf(container, { pod, place, objects, base })
    const mounts = await volumes.mounts(pod, container, place)
    await mkdir(join(sandbox.config.logDirectory, container.name), { recursive: true })
    const config = containerConfig(pod, container, { attempt, image, environment, mounts }, this.#options)
    return startStep('CreateContainerError', cri.createContainer(sandbox.id, config, sandbox.config))
  }

  async stop(pod: Pod, { name }: Container, graceSeconds: number): Promise<void> {
    for (const { id, state } of await this.#containersOf(pod, name))
      if (state === 'CONTAINER_RUNNING') await this.#options.cri.stopContainer(id, graceSeconds)
    // Poll twice: a poll that is already running may have started before the container ended.
    await this.poll()
    await this.poll()
  }

  async stopPod(pod: Pod): Promise<void> {
    const { uid } = pod.metadata
    for (const { id } of await this.#options.cri.containers({ uid })) this.#reported.delete(id)
    await this.removeSandboxes(uid)
    await this.#options.volumes.remove(pod)
    await rm(logFolder(this.#options.podLogs, pod), { recursive: true, force: true })
    this.#pods.delete(uid)
  }

  async removeSandboxes(uid: string): Promise<void> {
    for (const { id } of await this.#options.cri.sandboxes(uid)) await this.#options.cri.removeSandbox(id)
  }

  /** Uids of pods that the runtime has. */
  async podUids(): Promise<string[]> {
    return (await this.#options.cri.sandboxes()).flatMap(({ labels }) => labels[podUidLabel] ?? [])
  }

  /** The newest container with this name. */
  async container(pod: Pod, name: string): Promise<CriContainer | undefined> {
    return (await this.#containersOf(pod, name))[0]
  }

  #containersOf({ metadata: { uid } }: Pod, name: string): Promise<CriContainer[]> {
    return this.#options.cri.containers({ uid, name })
  }

  /** Updates the volumes that the kubelet fills, for all running pods. */
  async refreshVolumes(): Promise<void> {
    const { volumes, failed } = this.#options
    for (const { pod, place } of [...this.#pods.values()])
      await volumes
        .refresh(pod, place)
        .catch((error: unknown) => failed(`update volumes of pod ${pod.metadata.name}`, error))
  }
}

const containerUrl = (id: string): string => `containerd://${id}`

/** The exit of a container, from its CRI status. */
function exitOf({ exitCode, reason, message, finishedAt }: CriContainerStatus): ContainerExit {
  return {
    exitCode,
    reason: reason || (exitCode === 0 ? 'Completed' : 'Error'),
    ...(message !== '' && { message }),
    ...(finishedAt !== '0' && { finishedAt: milliseconds(finishedAt) }),
  }
}
