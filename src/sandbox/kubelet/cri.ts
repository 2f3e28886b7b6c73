import { GrpcClient, protoDefinitions } from '../../agent/containers/grpc-client.ts'
import { RuntimeError } from '../../agent/containers/runtime.ts'
import { criProtos } from './cri-protos.ts'
import {
  type ContainerConfig,
  type CriContainer,
  type CriContainerStatus,
  type CriImage,
  type CriSandbox,
  containerNameLabel,
  type PodSandboxConfig,
  podUidLabel,
} from './cri-types.ts'

const definitions = protoDefinitions(criProtos)
const runtime = 'runtime.v1.RuntimeService'
const images = 'runtime.v1.ImageService'

/** Milliseconds. Making a container may need its image unpacked; a slow machine may need long for any of it. */
const usual = 30_000
const slow = 240_000

/** A client for containerd's socket, with what a kubelet calls. */
export const containerdClient = (socket: string): GrpcClient =>
  new GrpcClient({ socket, namespace: 'k8s.io', deadline: usual, definitions })

/** The container runtime interface, as far as a kubelet needs it. All that fails is a RuntimeError. */
export class Cri {
  readonly #client: GrpcClient

  constructor(client: GrpcClient) {
    this.#client = client
  }

  version(): Promise<{ runtimeName: string; runtimeVersion: string }> {
    return this.#client.call(runtime, 'Version', {}, { deadline: 5_000 })
  }

  async sandboxes(uid?: string): Promise<CriSandbox[]> {
    const filter = uid === undefined ? {} : { labelSelector: { [podUidLabel]: uid } }
    const { items = [] } = await this.#client.call<{ items?: CriSandbox[] }>(runtime, 'ListPodSandbox', { filter })
    return items
  }

  async runSandbox(config: PodSandboxConfig): Promise<string> {
    const { podSandboxId } = await this.#client.call<{ podSandboxId: string }>(
      runtime,
      'RunPodSandbox',
      { config },
      { deadline: slow },
    )
    return podSandboxId
  }

  /** The address that the runtime's network gave it; empty on the node's own network. */
  async sandboxAddress(podSandboxId: string): Promise<string> {
    const { status } = await this.#client.call<{ status: { network: { ip: string } | null } | null }>(
      runtime,
      'PodSandboxStatus',
      { podSandboxId },
    )
    return status?.network?.ip ?? ''
  }

  /** Ends all its containers by force. */
  async stopSandbox(podSandboxId: string): Promise<void> {
    await unlessGone(this.#client.call(runtime, 'StopPodSandbox', { podSandboxId }, { deadline: slow }))
  }

  /** Ends and removes it with all its containers. One that is gone counts as removed. */
  async removeSandbox(podSandboxId: string): Promise<void> {
    await this.stopSandbox(podSandboxId)
    await unlessGone(this.#client.call(runtime, 'RemovePodSandbox', { podSandboxId }, { deadline: slow }))
  }

  async containers(which: { uid?: string; name?: string } = {}): Promise<CriContainer[]> {
    const labelSelector = {
      ...(which.uid === undefined ? {} : { [podUidLabel]: which.uid }),
      ...(which.name === undefined ? {} : { [containerNameLabel]: which.name }),
    }
    const { containers = [] } = await this.#client.call<{ containers?: CriContainer[] }>(runtime, 'ListContainers', {
      filter: { labelSelector },
    })
    return containers
  }

  /** Undefined for one that is gone. */
  async status(containerId: string): Promise<CriContainerStatus | undefined> {
    const answer = await unlessGone(
      this.#client.call<{ status: CriContainerStatus | null }>(runtime, 'ContainerStatus', { containerId }),
    )
    return answer?.status ?? undefined
  }

  async createContainer(
    podSandboxId: string,
    config: ContainerConfig,
    sandboxConfig: PodSandboxConfig,
  ): Promise<string> {
    const request = { podSandboxId, config, sandboxConfig }
    const { containerId } = await this.#client.call<{ containerId: string }>(runtime, 'CreateContainer', request, {
      deadline: slow,
    })
    return containerId
  }

  async startContainer(containerId: string): Promise<void> {
    await this.#client.call(runtime, 'StartContainer', { containerId }, { deadline: slow })
  }

  /** Resolves when it has ended: by itself after a TERM within so many seconds, else killed. */
  async stopContainer(containerId: string, seconds: number): Promise<void> {
    const options = { deadline: seconds * 1000 + slow }
    await unlessGone(this.#client.call(runtime, 'StopContainer', { containerId, timeout: seconds }, options))
  }

  async removeContainer(containerId: string): Promise<void> {
    await unlessGone(this.#client.call(runtime, 'RemoveContainer', { containerId }, { deadline: slow }))
  }

  /** Runs a command in a container to its end. @param seconds that it may take */
  execSync(containerId: string, cmd: readonly string[], seconds: number): Promise<{ exitCode: number }> {
    const request = { containerId, cmd, timeout: seconds }
    return this.#client.call(runtime, 'ExecSync', request, { deadline: seconds * 1000 + usual })
  }

  async image(image: string): Promise<CriImage | undefined> {
    const answer = await this.#client.call<{ image: CriImage | null }>(images, 'ImageStatus', { image: { image } })
    return answer.image ?? undefined
  }

  async pullImage(image: string, sandboxConfig: PodSandboxConfig): Promise<void> {
    await this.#client.call(images, 'PullImage', { image: { image }, sandboxConfig }, { deadline: slow })
  }
}

/** What others need of it, so that a test can stand in for a runtime. */
export type CriPort = Pick<Cri, keyof Cri>

async function unlessGone<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof RuntimeError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}
