import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import PQueue from 'p-queue'
import { type Clock, sleep, systemClock } from '../../base/clock.ts'
import { GrpcClient, protoDefinitions } from './grpc-client.ts'
import { parseObject, readSpec } from './oci-spec.ts'
import { refusedCalls } from './refused-calls.ts'
import {
  type ContainerRuntime,
  type RuntimeContainer,
  RuntimeError,
  type RuntimeEvent,
  type RuntimeTask,
  type Sandbox,
} from './runtime.ts'
import { runtimeProtos } from './runtime-protos.ts'

export interface CriOptions {
  /** Path of the runtime's socket, such as /run/crio/crio.sock. */
  socket: string
  /** Adds facts about a container. */
  describe?: (container: RuntimeContainer, seccomp: unknown) => Promise<RuntimeContainer>
  /** Milliseconds for a call. Default 30,000. */
  deadline?: number
  clock?: Clock
}

interface WireContainer {
  id: string
  podSandboxId: string
  metadata: { name: string } | null
  state: string
  labels: Record<string, string>
}

interface WireStatus {
  status: { image: { image: string } | null; state: string } | null
  info: Record<string, string>
}

interface WireSandbox {
  id: string
  metadata: { name: string; namespace: string; uid: string } | null
  labels: Record<string, string>
  annotations: Record<string, string>
}

/** The part of the JSON in `verbose` mode that containerd and CRI-O have in common. */
const pidOf = Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })

interface Asked {
  image: string
  /** Pid of the first process; 0 before it exists. */
  pid: number
  /** The annotations of the OCI spec. The rest of the spec is not kept, because its environment may contain secrets. */
  annotations: Record<string, string>
  appArmorProfile: string | undefined
  seccomp: unknown
  refusedCalls?: string
  /** Why the runtime cannot describe the container. */
  unreadable?: string
}

/** Codes of errors of the whole runtime. All other codes are about a container. */
const ofAll = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'UNAUTHENTICATED', 'PERMISSION_DENIED', 'UNIMPLEMENTED']

interface WireEvent {
  containerId: string
  containerEventType: string
}

/**
 * Maximum concurrent calls. A node has hundreds of containers, and a starting container must not wait until all are
 * inspected.
 */
const atATime = 8
/** Milliseconds between two polls of a runtime without events, such as CRI-O by default (enable_pod_events). */
const pollInterval = 1_000

const service = 'runtime.v1.RuntimeService'
const running = 'CONTAINER_RUNNING'
const definitions = protoDefinitions(runtimeProtos)

/** Sandboxes as CRI lists them: all, or only the sandbox with this id. */
export async function listSandboxes(client: GrpcClient, id: string | undefined): Promise<Sandbox[]> {
  const request = id === undefined ? {} : { filter: { id } }
  const { items = [] } = await client.call<{ items?: WireSandbox[] }>(service, 'ListPodSandbox', request)
  return items.map(({ id: sandbox, metadata, labels, annotations }) => ({
    id: sandbox,
    name: metadata?.name ?? '',
    namespace: metadata?.namespace ?? '',
    uid: metadata?.uid ?? '',
    labels,
    annotations,
  }))
}

/**
 * A client that uses only CRI, for any runtime, such as CRI-O. CRI does not report processes that are started in
 * running containers.
 */
export class Cri implements ContainerRuntime {
  readonly #client: GrpcClient
  readonly #describe: CriOptions['describe']
  readonly #clock: Clock
  readonly #queue = new PQueue({ concurrency: atATime })
  /** Answers about existing containers. An answer stays valid once the container has a process. */
  readonly #asked = new Map<string, Asked>()
  /** Queries without an answer yet. */
  readonly #asking = new Map<string, Promise<Asked | undefined>>()

  constructor({ socket, deadline = 30_000, describe, clock = systemClock }: CriOptions) {
    this.#describe = describe
    this.#clock = clock
    this.#client = new GrpcClient({ socket, namespace: 'k8s.io', deadline, definitions })
  }

  close(): void {
    this.#client.close()
  }

  async subscribe(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<never> {
    await this.#follow(sink, signal)
    return this.#poll(sink, signal)
  }

  async containers(): Promise<RuntimeContainer[]> {
    const all = await this.#list()
    for (const id of this.#asked.keys()) if (!all.some((one) => one.id === id)) this.#asked.delete(id)
    return (await Promise.all(all.map((one) => this.#containerOf(one)))).filter((one) => one !== undefined)
  }

  async container(id: string): Promise<RuntimeContainer | undefined> {
    const [found] = await this.#list({ id })
    return found && this.#containerOf(found)
  }

  async tasks(): Promise<RuntimeTask[]> {
    const all = (await this.#list()).filter(({ state }) => state === running)
    const asked = await Promise.all(all.map(({ id }) => this.#ask(id)))
    return all.flatMap(({ id: containerID }, i) => {
      const { pid = 0 } = asked[i] ?? {}
      return pid === 0 ? [] : [{ containerID, pid, running: true }]
    })
  }

  sandboxes(id?: string): Promise<Sandbox[]> {
    return listSandboxes(this.#client, id)
  }

  async #list(filter?: { id: string }): Promise<WireContainer[]> {
    const request = filter === undefined ? {} : { filter }
    const { containers = [] } = await this.#client.call<{ containers?: WireContainer[] }>(
      service,
      'ListContainers',
      request,
    )
    return containers
  }

  async #containerOf(wire: WireContainer): Promise<RuntimeContainer | undefined> {
    const { id, podSandboxId, metadata, labels } = wire
    const asked = await this.#ask(id)
    if (asked === undefined) return undefined
    const { image, annotations, appArmorProfile, seccomp } = asked
    const name = metadata?.name ?? ''
    // CRI-O copies a pod's annotations into the spec. Leave out annotations with CRI's prefix, because a tenant may
    // have written them.
    const others = Object.entries(annotations).filter(([key]) => !key.startsWith('io.kubernetes.cri.'))
    const own = { 'io.kubernetes.cri.sandbox-id': podSandboxId, 'io.kubernetes.cri.container-name': name }
    const container = {
      ...{ id, name, image, labels, appArmorProfile },
      annotations: { ...Object.fromEntries(others), ...own },
      ...(asked.refusedCalls !== undefined && { refusedCalls: asked.refusedCalls }),
      ...(asked.unreadable !== undefined && { unreadable: asked.unreadable }),
    }
    return this.#describe === undefined ? container : this.#describe(container, seccomp)
  }

  /** @returns undefined for a container that no longer exists */
  #ask(id: string): Promise<Asked | undefined> {
    const known = this.#asked.get(id)
    if (known !== undefined && known.pid > 0) return Promise.resolve(known)
    // The lists of containers and of tasks run at the same time, so share a running query.
    const asking = this.#asking.get(id) ?? this.#askNow(id).finally(() => this.#asking.delete(id))
    this.#asking.set(id, asking)
    return asking
  }

  async #askNow(id: string): Promise<Asked | undefined> {
    const request = { containerId: id, verbose: true }
    const call = (): Promise<WireStatus> => this.#client.call<WireStatus>(service, 'ContainerStatus', request)
    try {
      const { status, info } = await this.#queue.add(call)
      const { pid: said, runtimeSpec } = parseObject(info['info'] ?? '') ?? {}
      const pid = Value.Check(pidOf, said) ? said : 0
      const { annotations, process, linux } = readSpec(runtimeSpec)
      const appArmor = process && (process.apparmorProfile ?? '')
      const asked: Asked = {
        ...{ image: status?.image?.image ?? '', pid, annotations, appArmorProfile: appArmor, seccomp: linux?.seccomp },
        ...(linux !== undefined && { refusedCalls: refusedCalls(linux.seccomp) }),
        ...(pid === 0 &&
          status?.state === running && { unreadable: 'the runtime reports no process of the container' }),
      }
      this.#asked.set(id, asked)
      return asked
    } catch (error) {
      if (!(error instanceof RuntimeError) || ofAll.includes(error.code)) throw error
      if (error.code === 'NOT_FOUND') return undefined
      // Return a container that the runtime cannot describe, so that the list continues with all other containers.
      return {
        image: '',
        pid: 0,
        annotations: {},
        appArmorProfile: undefined,
        seccomp: undefined,
        unreadable: error.message,
      }
    }
  }

  /** Resolves when the runtime does not support events. */
  async #follow(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<void> {
    const take = ({ containerId, containerEventType }: WireEvent) => this.#take(containerId, containerEventType, sink)
    try {
      await this.#client.follow(service, 'GetContainerEvents', {}, take, signal)
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.code !== 'UNIMPLEMENTED') throw error
    }
  }

  async #take(id: string, type: string, sink: (event: RuntimeEvent) => void): Promise<void> {
    switch (type) {
      case 'CONTAINER_CREATED_EVENT':
        return sink({ type: 'created', containerID: id })
      case 'CONTAINER_STARTED_EVENT': {
        const { pid = 0 } = (await this.#ask(id)) ?? {}
        if (pid > 0) sink({ type: 'started', containerID: id, pid })
        return
      }
      case 'CONTAINER_STOPPED_EVENT':
        return sink({ type: 'ended', containerID: id })
      case 'CONTAINER_DELETED_EVENT':
        return sink({ type: 'deleted', containerID: id })
      default:
    }
  }

  /** Derives events from the changes between two polls. */
  async #poll(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<never> {
    let before: Map<string, string> | undefined
    for (;;) {
      const now = new Map((await this.#list()).map(({ id, state }) => [id, state]))
      signal.throwIfAborted()
      if (before !== undefined) for (const [id, type] of changesBetween(before, now)) await this.#take(id, type, sink)
      before = now
      await sleep(this.#clock, pollInterval, signal)
    }
  }
}

/** Reports the changes in the order in which they happened. */
function changesBetween(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): [id: string, type: string][] {
  const changes: [string, string][] = []
  for (const [id, state] of before) {
    if (state === running && now.get(id) !== running) changes.push([id, 'CONTAINER_STOPPED_EVENT'])
    if (!now.has(id)) changes.push([id, 'CONTAINER_DELETED_EVENT'])
  }
  for (const [id, state] of now) {
    if (!before.has(id)) changes.push([id, 'CONTAINER_CREATED_EVENT'])
    if (state === running && before.get(id) !== running) changes.push([id, 'CONTAINER_STARTED_EVENT'])
  }
  return changes
}
