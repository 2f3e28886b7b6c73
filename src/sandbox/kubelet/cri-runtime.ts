import { mkdir, readdir, rm } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { runtimeMessage } from '../../agent/containers/grpc-client.ts'
import { RuntimeError } from '../../agent/containers/runtime.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import {
  type ContainerObserver,
  ContainerStartError,
  type NodePlace,
  type PodRuntime,
  type StartedContainer,
} from '../controllers/node/pod-runtime.ts'
import type { Container, Pod } from '../controllers/types.ts'
import { exitOf, goneExit } from './container-exit.ts'
import type { CriPort } from './cri.ts'
import {
  type CriContainer,
  type CriContainerStatus,
  type CriSandbox,
  milliseconds,
  type PodSandboxConfig,
  podUidLabel,
} from './cri-types.ts'
import { ConfigError, environmentOf } from './environment.ts'
import type { PodPlace } from './field-values.ts'
import { ensureImage } from './images.ts'
import { runHandler } from './lifecycle-handler.ts'
import { linuxResources } from './linux-resources.ts'
import { fieldsOf, podFieldsOf, uidOf } from './pod-fields.ts'
import type { PodObjects } from './pod-objects.ts'
import { containerConfig, logFolder, type RequestOptions, sandboxConfig } from './pod-requests.ts'
import type { PodVolumes } from './pod-volumes.ts'
import { checkNonRoot } from './security-context.ts'
import { lastWords } from './termination-message.ts'

export interface CriRuntimeOptions extends RequestOptions {
  readonly cri: CriPort
  readonly clock: Clock
  readonly volumes: Pick<PodVolumes, 'mounts' | 'terminationLog' | 'refresh' | 'remove'>
  readonly objects: Pick<PodObjects, 'forEnvironment'>
  /** Variables that every container gets. */
  readonly environment: Readonly<Record<string, string>>
  /** Is told of what could not be done and is tried again. */
  failed(what: string, error: unknown): void
}

interface Watched {
  readonly id: string
  readonly observer: ContainerObserver
}

interface RunningPod {
  pod: Pod
  readonly place: PodPlace
  sandbox: { readonly id: string; readonly config: PodSandboxConfig }
  /** By name of the container. */
  readonly watched: Map<string, Watched>
}

/** Milliseconds between two looks at what runs, where no event comes sooner. */
const lookEvery = 1_000
/** The runtime learns of an end by the same events as we, and may take a moment longer. Milliseconds. */
const settling = [20, 50, 100, 200, 400]
/** Seconds that a handler before the end, or after the start, may take. */
const handlerPatience = 30

/** Runs pods in containerd, through CRI. What runs already when it is made is found again by its labels. */
export class CriRuntime implements PodRuntime {
  readonly #options: CriRuntimeOptions
  readonly #pods = new Map<string, RunningPod>()
  /** Containers whose end an observer was told of; by id. */
  readonly #told = new Set<string>()
  #looking: Promise<void> | undefined
  readonly #stop = new AbortController()

  constructor(options: CriRuntimeOptions) {
    this.#options = options
  }

  /** Follows what runs until `close`. */
  async follow(): Promise<void> {
    const { clock, failed } = this.#options
    while (!this.#stop.signal.aborted) {
      await this.look().catch((error: unknown) => failed('look at what runs', error))
      await sleep(clock, lookEvery).catch(() => undefined)
    }
  }

  /** Leaves all as it is. */
  close(): void {
    this.#stop.abort()
  }

  /** A container has ended, says an event: CRI will say so too in a moment. */
  async ended(id: string): Promise<void> {
    const isWatched = (): boolean =>
      Array.from(this.#pods.values()).some(({ watched }) => [...watched.values()].some((one) => one.id === id))
    for (const delay of settling) {
      if (!isWatched() || this.#stop.signal.aborted) return
      await this.look()
      await sleep(this.#options.clock, delay)
    }
  }

  /** Tells observers of containers that run no more. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    const before = Array.from(this.#pods.values(), ({ watched }) => [watched, [...watched]] as const)
    if (before.every(([, entries]) => entries.length === 0)) return
    const running = new Set(
      (await this.#options.cri.containers()).filter(({ state }) => state === 'CONTAINER_RUNNING').map(({ id }) => id),
    )
    for (const [watched, entries] of before)
      for (const [name, one] of entries) {
        if (running.has(one.id) || watched.get(name) !== one) continue
        const exit = await this.#exitOf(one.id)
        // Someone else may have told it meanwhile.
        if (exit === undefined || watched.get(name) !== one) continue
        watched.delete(name)
        this.#told.add(one.id)
        one.observer.exited(exit)
      }
  }

  /** Undefined while it runs. */
  async #exitOf(id: string) {
    const status = await this.#options.cri.status(id)
    if (status === undefined) return goneExit
    return status.state === 'CONTAINER_EXITED' ? exitOf(status, await lastWords(status)) : undefined
  }

  async startPod(pod: Pod, { address }: NodePlace): Promise<{ podIP: string }> {
    const uid = uidOf(pod)
    const known = this.#pods.get(uid)
    const sandboxes = newestFirst(await this.#options.cri.sandboxes(uid))
    const ready = sandboxes.find(({ state }) => state === 'SANDBOX_READY')
    if (known !== undefined && ready?.id === known.sandbox.id) {
      known.pod = pod
      return { podIP: known.place.podIP }
    }
    const sandbox = ready === undefined ? await this.#newSandbox(pod, sandboxes) : this.#adopted(pod, ready)
    const podIP = await this.#address(pod, sandbox.id, address)
    const place = { podIP, hostIP: address }
    this.#pods.set(uid, { pod, place, sandbox, watched: known?.watched ?? new Map() })
    return { podIP }
  }

  #adopted(pod: Pod, { id, metadata }: CriSandbox): RunningPod['sandbox'] {
    return { id, config: sandboxConfig(pod, metadata?.attempt ?? 0, this.#options) }
  }

  async #newSandbox(pod: Pod, dead: readonly CriSandbox[]): Promise<RunningPod['sandbox']> {
    const { cri } = this.#options
    const { runtimeClassName } = podFieldsOf(pod)
    if (runtimeClassName)
      throw sandboxError(`runtimeClassName ${runtimeClassName} is not supported on this node; leave it out`)
    const config = sandboxConfig(pod, dead.length === 0 ? 0 : (dead[0]?.metadata?.attempt ?? 0) + 1, this.#options)
    try {
      // What is left in a sandbox that has died ends with it. The last is kept: for exit codes nobody was told of, and logs.
      const [last, ...older] = dead
      if (last !== undefined) await cri.stopSandbox(last.id)
      for (const { id } of older) await cri.removeSandbox(id)
      await mkdir(config.logDirectory, { recursive: true, mode: 0o755 })
      return { id: await cri.runSandbox(config), config }
    } catch (error) {
      if (!(error instanceof RuntimeError)) throw error
      throw sandboxError(runtimeMessage(error), error)
    }
  }

  async #address(pod: Pod, sandbox: string, nodeAddress: string): Promise<string> {
    if (podFieldsOf(pod).hostNetwork === true || !this.#options.ownNetwork) return nodeAddress
    return this.#options.cri.sandboxAddress(sandbox)
  }

  async start(pod: Pod, container: Container, observer: ContainerObserver): Promise<StartedContainer> {
    const there = this.#pods.get(uidOf(pod))
    if (there === undefined)
      throw new ContainerStartError('RunContainerError', `the sandbox of pod ${pod.metadata.name} is gone`)
    try {
      const before = newestFirst(await this.#options.cri.containers({ uid: uidOf(pod), name: container.name }))
      const found = await this.#goesOn(pod, container, before[0])
      const status = found ?? (await this.#startNew(there, container, before))
      this.#observe(there, container.name, status, observer)
      return startedOf(status)
    } catch (error) {
      throw startError(error)
    }
  }

  /** Only once the caller knows that it was started may it hear that it has ended. */
  #observe(there: RunningPod, name: string, { id }: CriContainerStatus, observer: ContainerObserver): void {
    setImmediate(() => {
      there.watched.set(name, { id, observer })
      observer.ready(true)
      void this.look().catch((error: unknown) => this.#options.failed('look at what runs', error))
    })
  }

  /** A container that runs, or has ended and nobody was told: of the kubelet before this one. */
  async #goesOn(
    pod: Pod,
    container: Container,
    newest: CriContainer | undefined,
  ): Promise<CriContainerStatus | undefined> {
    if (newest === undefined) return undefined
    const { state, id, podSandboxId } = newest
    const runs = state === 'CONTAINER_RUNNING' && podSandboxId === this.#pods.get(uidOf(pod))?.sandbox.id
    const isUntold = state === 'CONTAINER_EXITED' && !this.#isTold(pod, container, id)
    return runs || isUntold ? this.#options.cri.status(id) : undefined
  }

  #isTold({ status }: Pod, { name }: Container, id: string): boolean {
    if (this.#told.has(id)) return true
    const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])]
    return statuses
      .filter((one) => one.name === name)
      .flatMap(({ state, lastState }) => [state.terminated, lastState.terminated])
      .some((terminated) => terminated?.containerID === containerUrl(id))
  }

  async #startNew(
    there: RunningPod,
    container: Container,
    before: readonly CriContainer[],
  ): Promise<CriContainerStatus> {
    const { cri } = this.#options
    const attempt = await this.#nextAttempt(there.pod, container, before)
    // The last one is kept for its log; what was made and never started is nothing.
    const [last, ...older] = before
    const useless = last !== undefined && last.state !== 'CONTAINER_EXITED' ? [last, ...older] : older
    for (const { id } of useless) {
      await cri.removeContainer(id)
      this.#told.delete(id)
    }
    const id = await this.#create(there, container, attempt)
    await this.#run(there, container, id)
    const status = await cri.status(id)
    if (status === undefined) throw new ContainerStartError('RunContainerError', `container ${id} is gone`)
    return status
  }

  async #nextAttempt(pod: Pod, { name }: Container, [last]: readonly CriContainer[]): Promise<number> {
    if (last !== undefined) return (last.metadata?.attempt ?? 0) + (last.state === 'CONTAINER_CREATED' ? 0 : 1)
    // The runtime may have forgotten, after a reboot: its logs are still there.
    const logs = await readdir(join(logFolder(this.#options.podLogs, pod), name)).catch(() => [])
    const numbers = logs.flatMap((file) => /^(\d+)\.log/.exec(file)?.[1] ?? []).map(Number)
    return numbers.length === 0 ? 0 : Math.max(...numbers) + 1
  }

  async #create({ pod, place, sandbox }: RunningPod, container: Container, attempt: number): Promise<string> {
    const { cri, volumes, objects } = this.#options
    const image = await ensureImage(cri, container, sandbox.config)
    const fields = fieldsOf(container)
    const numeric = image.uid === null ? {} : { uid: Number(image.uid.value) }
    checkNonRoot(pod, container, { name: image.username, ...numeric })
    const referred = await objects.forEnvironment(pod, fields)
    const environment = environmentOf(fields, { pod, place, objects: referred, base: this.#options.environment })
    const mounts = await volumes.mounts(pod, container, environment, place)
    const termination = await volumes.terminationLog(pod, container, attempt)
    await mkdir(join(sandbox.config.logDirectory, container.name), { recursive: true })
    const config = containerConfig(
      pod,
      container,
      {
        attempt,
        imageRef: image.id,
        environment,
        mounts: termination === undefined ? mounts : [...mounts, termination],
        resources: linuxResources(pod, container, totalmem()),
      },
      this.#options,
    )
    return runtimeStep('CreateContainerError', cri.createContainer(sandbox.id, config, sandbox.config))
  }

  async #run(there: RunningPod, container: Container, id: string): Promise<void> {
    const { cri } = this.#options
    try {
      await runtimeStep('RunContainerError', cri.startContainer(id))
    } catch (error) {
      // It has ended, in the eyes of the runtime, and the error says all of it.
      this.#told.add(id)
      throw error
    }
    const { postStart } = fieldsOf(container).lifecycle ?? {}
    if (postStart === undefined) return
    const problem = await runHandler(this.#options, id, postStart, handlerPatience)
    if (problem === undefined) return
    await cri.stopContainer(id, podFieldsOf(there.pod).terminationGracePeriodSeconds ?? 30)
    this.#told.add(id)
    throw new ContainerStartError('PostStartHookError', `PostStartHook failed: ${problem}`)
  }

  async stop(pod: Pod, container: Container, graceSeconds: number): Promise<void> {
    const { cri, clock, failed } = this.#options
    const all = await cri.containers({ uid: uidOf(pod), name: container.name })
    for (const { id, state } of all) {
      if (state !== 'CONTAINER_RUNNING') continue
      const begun = clock.now()
      const { preStop } = fieldsOf(container).lifecycle ?? {}
      if (preStop !== undefined && graceSeconds > 0) {
        const problem = await runHandler(this.#options, id, preStop, graceSeconds)
        if (problem !== undefined) failed(`preStop of ${pod.metadata.name}/${container.name}`, new Error(problem))
      }
      const left = graceSeconds - (clock.now() - begun) / 1000
      await cri.stopContainer(id, Math.max(0, Math.ceil(left)))
    }
    // A look that was under way may have begun before the end.
    await this.look()
    await this.look()
  }

  async stopPod(pod: Pod): Promise<void> {
    const uid = uidOf(pod)
    await this.removeSandboxes(uid)
    await this.#options.volumes.remove(pod)
    await rm(logFolder(this.#options.podLogs, pod), { recursive: true, force: true })
    const there = this.#pods.get(uid)
    for (const { id } of there?.watched.values() ?? []) this.#told.delete(id)
    this.#pods.delete(uid)
  }

  async removeSandboxes(uid: string): Promise<void> {
    const { cri } = this.#options
    for (const { id } of await cri.containers({ uid })) this.#told.delete(id)
    for (const { id } of await cri.sandboxes(uid)) await cri.removeSandbox(id)
  }

  /** Uids of pods of which the runtime has anything. */
  async podUids(): Promise<Set<string>> {
    const sandboxes = await this.#options.cri.sandboxes()
    return new Set(sandboxes.map(({ labels }) => labels[podUidLabel] ?? '').filter((uid) => uid !== ''))
  }

  /** The newest container of the name, or the one before it. */
  async container(pod: Pod, name: string, which: 'newest' | 'previous' = 'newest'): Promise<CriContainer | undefined> {
    const all = newestFirst(await this.#options.cri.containers({ uid: uidOf(pod), name }))
    return which === 'newest' ? all[0] : all[1]
  }

  /** Brings what the kubelet fills for running pods up to date. */
  async refreshVolumes(): Promise<void> {
    const { volumes, failed } = this.#options
    for (const { pod, place } of [...this.#pods.values()])
      await volumes.refresh(pod, place).catch((error: unknown) => failed(`volumes of pod ${pod.metadata.name}`, error))
  }
}

export const containerUrl = (id: string): string => `containerd://${id}`

const startedOf = ({ id, imageRef, startedAt, metadata }: CriContainerStatus): StartedContainer => ({
  id: containerUrl(id),
  imageId: imageRef,
  startedAt: milliseconds(startedAt),
  restarts: metadata?.attempt ?? 0,
})

const newestFirst = <T extends { createdAt: string }>(all: readonly T[]): T[] =>
  [...all].sort((a, b) => Number(BigInt(b.createdAt) - BigInt(a.createdAt)))

const sandboxError = (message: string, cause?: unknown): ContainerStartError =>
  new ContainerStartError('FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`, { cause })

async function runtimeStep<T>(reason: string, step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    throw new ContainerStartError(reason, runtimeMessage(error), { cause: error })
  }
}

/** What is wrong with the spec is the pod's to show. Anything else is tried again. */
function startError(error: unknown): unknown {
  if (error instanceof ConfigError)
    return new ContainerStartError('CreateContainerConfigError', error.message, { cause: error })
  return error
}
