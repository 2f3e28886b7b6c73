import { GrpcClient, protoDefinitions, runtimeMessage } from '../../agent/containers/grpc-client.ts'
import { RuntimeError } from '../../agent/containers/runtime.ts'
import { ContainerStartError } from '../nodes/pod-runtime.ts'
import { criProtos } from './cri-protos.ts'

// Messages of CRI (k8s.io/cri-api, pkg/apis/runtime/v1/api.proto), as protobuf.js returns them: 64-bit numbers as text,
// enums by name. Requests may omit empty fields.

export interface Mount {
  containerPath: string
  hostPath: string
  readonly?: boolean
  propagation?: 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL'
}

export interface CriSandbox {
  id: string
  metadata: { attempt: number } | null
  state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY'
  /** Time in nanoseconds since the epoch. */
  createdAt: string
  labels: Readonly<Record<string, string>>
}

export interface CriContainer {
  id: string
  podSandboxId: string
  metadata: { attempt: number } | null
  state: 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN'
  createdAt: string
}

export interface CriContainerStatus extends CriContainer {
  /** Time in nanoseconds since the epoch; 0 if the container has not started yet. */
  startedAt: string
  finishedAt: string
  exitCode: number
  imageRef: string
  reason: string
  message: string
}

export interface CriImage {
  id: string
  uid: { value: string } | null
  username: string
}

/** A request to run a command in a container, with its streams. */
export interface ExecRequest {
  cmd: readonly string[]
  stdin: boolean
  stdout: boolean
  /** False for a command with a terminal, because a terminal has only one output. */
  stderr: boolean
  tty: boolean
}

/** Labels with which a kubelet finds its own objects, and with which the agent finds the pod of a container. */
export const podNameLabel = 'io.kubernetes.pod.name'
export const podNamespaceLabel = 'io.kubernetes.pod.namespace'
export const podUidLabel = 'io.kubernetes.pod.uid'
export const containerNameLabel = 'io.kubernetes.container.name'

/** CRI's nanoseconds as milliseconds. */
export const milliseconds = (nanoseconds: string): number => Math.floor(Number(BigInt(nanoseconds) / 1_000_000n))

const newestFirst = <T extends { createdAt: string }>(all: readonly T[] = []): T[] =>
  [...all].sort((a, b) => Number(BigInt(b.createdAt) - BigInt(a.createdAt)))

const definitions = protoDefinitions(criProtos)

/**
 * Maximum milliseconds of a call. Creating a container may unpack its image, and a slow machine needs long for each
 * step.
 */
const usual = 30_000
const slow = 240_000

/**
 * The part of the container runtime interface on containerd's socket that a kubelet needs. Every failure is a
 * RuntimeError.
 */
export class Cri {
  readonly #client: GrpcClient

  constructor(socket: string) {
    this.#client = new GrpcClient({ socket, namespace: 'k8s.io', deadline: usual, definitions })
  }

  close(): void {
    this.#client.close()
  }

  version(): Promise<{ runtimeName: string; runtimeVersion: string }> {
    return this.#call('Version', {}, 5_000)
  }

  async sandboxes(uid?: string): Promise<CriSandbox[]> {
    const filter = uid === undefined ? {} : { labelSelector: { [podUidLabel]: uid } }
    return newestFirst((await this.#call<{ items?: CriSandbox[] }>('ListPodSandbox', { filter })).items)
  }

  async runSandbox(config: object): Promise<string> {
    return (await this.#call<{ podSandboxId: string }>('RunPodSandbox', { config }, slow)).podSandboxId
  }

  /** The address that the runtime's network gave the sandbox; empty if it uses the node's network. */
  async sandboxAddress(podSandboxId: string): Promise<string> {
    type Answer = { status: { network: { ip: string } | null } | null }
    return (await this.#call<Answer>('PodSandboxStatus', { podSandboxId })).status?.network?.ip ?? ''
  }

  /** Stops a sandbox, and ends all its containers by force. */
  async stopSandbox(podSandboxId: string): Promise<void> {
    await unlessGone(this.#call('StopPodSandbox', { podSandboxId }, slow))
  }

  /** Stops and removes a sandbox with all its containers. A missing sandbox counts as removed. */
  async removeSandbox(podSandboxId: string): Promise<void> {
    await this.stopSandbox(podSandboxId)
    await unlessGone(this.#call('RemovePodSandbox', { podSandboxId }, slow))
  }

  async containers(which: { uid?: string; name?: string } = {}): Promise<CriContainer[]> {
    const labelSelector = {
      ...(which.uid !== undefined && { [podUidLabel]: which.uid }),
      ...(which.name !== undefined && { [containerNameLabel]: which.name }),
    }
    const answer = await this.#call<{ containers?: CriContainer[] }>('ListContainers', { filter: { labelSelector } })
    return newestFirst(answer.containers)
  }

  /** The status of a container; undefined if it is missing. */
  async status(containerId: string): Promise<CriContainerStatus | undefined> {
    const call = this.#call<{ status: CriContainerStatus | null }>('ContainerStatus', { containerId })
    return (await unlessGone(call))?.status ?? undefined
  }

  async createContainer(id: string, config: object, sandboxConfig: object): Promise<string> {
    const request = { podSandboxId: id, config, sandboxConfig }
    return (await this.#call<{ containerId: string }>('CreateContainer', request, slow)).containerId
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#call('StartContainer', { containerId }, slow)
  }

  /** Resolves when the container has ended: by itself within `timeout` seconds after a TERM, or killed. */
  async stopContainer(containerId: string, timeout: number): Promise<void> {
    await unlessGone(this.#call('StopContainer', { containerId, timeout }, timeout * 1000 + slow))
  }

  async removeContainer(containerId: string): Promise<void> {
    await unlessGone(this.#call('RemoveContainer', { containerId }, slow))
  }

  /** The URL at which the runtime serves the streams of a command. The URL works once, for any client. */
  async exec(containerId: string, request: ExecRequest): Promise<string> {
    return (await this.#call<{ url: string }>('Exec', { containerId, ...request })).url
  }

  /** An image, which is pulled if the policy requires it. @throws {ContainerStartError} */
  async image(image: string, pullPolicy: string, sandboxConfig: object): Promise<CriImage> {
    const found = await startStep('ImageInspectError', this.#imageStatus(image))
    if (found !== undefined && pullPolicy !== 'Always') return found
    if (pullPolicy === 'Never') throw new ContainerStartError('ErrImageNeverPull', `${image} is not on this node`)
    const request = { image: { image }, sandboxConfig }
    await startStep('ErrImagePull', this.#call('PullImage', request, slow, 'runtime.v1.ImageService'))
    const pulled = await startStep('ImageInspectError', this.#imageStatus(image))
    if (pulled === undefined)
      throw new ContainerStartError('ErrImagePull', `${image} was pulled, but is missing on this node`)
    return pulled
  }

  async #imageStatus(image: string): Promise<CriImage | undefined> {
    const request = { image: { image } }
    const answer = this.#call<{ image: CriImage | null }>('ImageStatus', request, usual, 'runtime.v1.ImageService')
    return (await answer).image ?? undefined
  }

  #call<Answer>(name: string, request: object, deadline = usual, service = 'runtime.v1.RuntimeService') {
    return this.#client.call<Answer>(service, name, request, { deadline })
  }
}

/** The interface of Cri, so that tests can replace a runtime. */
export type CriPort = Pick<Cri, keyof Cri>

/** Runs a step of a start. If the runtime refuses, the pod shows the reason. @throws {ContainerStartError} */
export async function startStep<T>(reason: string, step: Promise<T>): Promise<T> {
  try {
    return await step
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    throw new ContainerStartError(reason, runtimeMessage(error), { cause: error })
  }
}

async function unlessGone<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}
