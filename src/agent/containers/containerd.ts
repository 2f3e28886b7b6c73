import type { MessageTypeDefinition } from '@grpc/proto-loader'
import type { SeccompReports } from '../../profile/context.ts'
import { listSandboxes } from './cri.ts'
import { podNamespace, sandboxOf } from './describe-container.ts'
import { type AnyValue, GrpcClient, protoDefinitions } from './grpc-client.ts'
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
import { askForFlags, handlersOf, type RuntimeHandler, unreported, wordOf } from './seccomp-flags.ts'

export const containerdSocket = '/run/containerd/containerd.sock'

export interface ContainerdOptions {
  socket?: string
  /** containerd's namespace of the containers. Default `k8s.io`, the kubelet's. */
  namespace?: string
  /**
   * Adds facts about a container, such as its user-visible name. With this function, all containers of the namespace
   * count; without it, only containers of pods.
   */
  describe?: (container: RuntimeContainer, seccomp: unknown) => Promise<RuntimeContainer>
  /** Milliseconds for a call. Default 30,000. */
  deadline?: number
}

interface WireContainer {
  id: string
  image: string
  labels: Record<string, string>
  spec: AnyValue | null
}

interface WireProcess {
  containerId: string
  id: string
  pid: number
  status: string
}

interface WireEnvelope {
  topic: string
  timestamp: { seconds: string } | null
  event: AnyValue | null
}

/** Label that CRI sets on its containers; for a pod's sandbox it is `sandbox`. */
const kindLabel = 'io.cri-containerd.kind'

const topics = [
  '/containers/create',
  '/containers/delete',
  '/tasks/start',
  '/tasks/exec-started',
  '/tasks/exit',
  '/tasks/delete',
]

const definitions = protoDefinitions(runtimeProtos)

/** A client of containerd. It uses containerd's own services, and its CRI service for data about pods. */
export class Containerd implements ContainerRuntime {
  readonly #client: GrpcClient
  readonly #namespace: string
  readonly #describe: ContainerdOptions['describe']

  constructor({
    socket = containerdSocket,
    namespace = podNamespace,
    deadline = 30_000,
    describe,
  }: ContainerdOptions = {}) {
    this.#namespace = namespace
    this.#describe = describe
    this.#client = new GrpcClient({ socket, namespace, deadline, definitions })
  }

  close(): void {
    this.#client.close()
  }

  async version(): Promise<string> {
    const { version } = await this.#call<{ version: string }>('containerd.services.version.v1.Version', 'Version', {})
    return version
  }

  /**
   * Finds out which seccomp flags the runtimes' programs support. Since version 2, containerd asks its shims for this.
   * A shim runs the same program as for containers, in the same way.
   */
  async seccompReports(): Promise<SeccompReports> {
    const title = `containerd ${wordOf(await this.version())}`.trim()
    try {
      return await askForFlags({
        title,
        handlers: async () => {
          const { info = {} } = await this.#call<{ info?: Record<string, string> }>(cri, 'Status', { verbose: true })
          return handlersOf(info['config'] ?? '')
        },
        features: (handler) => this.#features(handler),
      })
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.code !== 'UNIMPLEMENTED') throw error
      return unreported(title, 'it does not report the features of its runtimes, as containerd 2 does')
    }
  }

  async subscribe(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<never> {
    const filters = topics.map((topic) => `topic=="${topic}",namespace==${this.#namespace}`)
    const take = (envelope: WireEnvelope): void => {
      let event: RuntimeEvent | undefined
      try {
        event = eventOf(envelope)
      } catch (error) {
        throw new RuntimeError('UNDECODABLE', `an event of ${envelope.topic}`, { cause: error })
      }
      if (event !== undefined) sink(event)
    }
    await this.#client.follow('containerd.services.events.v1.Events', 'Subscribe', { filters }, take, signal)
    throw new RuntimeError('ENDED', 'the event stream')
  }

  async containers(): Promise<RuntimeContainer[]> {
    const filters = this.#describe === undefined ? [`labels."${kindLabel}"==container`] : []
    const answer = await this.#call<{ containers?: WireContainer[] }>(...containersMethod('List'), { filters })
    const found = await Promise.all((answer.containers ?? []).map((container) => this.#containerOf(container)))
    return found.filter((container) => container !== undefined)
  }

  async container(id: string): Promise<RuntimeContainer | undefined> {
    const answer = await this.#found<{ container: WireContainer | null }>(...containersMethod('Get'), { id })
    return answer?.container ? this.#containerOf(answer.container) : undefined
  }

  async tasks(): Promise<RuntimeTask[]> {
    const { tasks = [] } = await this.#call<{ tasks?: WireProcess[] }>('containerd.services.tasks.v1.Tasks', 'List', {})
    return tasks.map(({ containerId, id, pid, status: state }) => ({
      containerID: containerId || id,
      pid,
      running: state === 'RUNNING' || state === 'PAUSED' || state === 'PAUSING',
    }))
  }

  async sandboxes(id?: string): Promise<Sandbox[]> {
    try {
      return await listSandboxes(this.#client, id)
    } catch (error) {
      // Without its CRI plugin, containerd has no pods.
      if (error instanceof RuntimeError && error.code === 'UNIMPLEMENTED') return []
      throw error
    }
  }

  /**
   * Describes a container. undefined for the sandbox of a pod, because it does not run a program of the user. Also
   * undefined for a container without a pod, if only pods count.
   */
  async #containerOf({ id, image, labels, spec }: WireContainer): Promise<RuntimeContainer | undefined> {
    const whole = spec && parseObject(spec.value.toString('utf8'))
    const { annotations, process, linux } = readSpec(whole)
    // The label may be from the image. It counts as CRI's label if CRI's annotation is present, or the annotations
    // cannot be read.
    const isOfCri = !whole || sandboxOf({ labels, annotations, namespace: this.#namespace }) !== ''
    const kind = isOfCri ? labels[kindLabel] : undefined
    if (kind !== 'container' && (kind !== undefined || this.#describe === undefined)) return undefined
    const container = {
      ...{ id, image, labels, annotations, appArmorProfile: process && (process.apparmorProfile ?? '') },
      ...(linux !== undefined && { refusedCalls: refusedCalls(linux.seccomp) }),
    }
    return this.#describe === undefined ? container : this.#describe(container, linux?.seccomp)
  }

  async #features({ type, path, binary = '' }: RuntimeHandler): Promise<string | undefined> {
    const options = binary === '' ? null : anyOf('containerd.runc.v1.Options', { binaryName: binary })
    const request = anyOf('containerd.types.RuntimeRequest', { runtimePath: path === '' ? type : path, options })
    const task = { type: 'io.containerd.runtime.v2', id: 'task', options: request }
    try {
      const { extra } = await this.#call<{ extra: AnyValue | null }>(introspection, 'PluginInfo', task)
      return extra === null ? undefined : runtimeFeatures(extra)
    } catch (error) {
      // The shim or its program failed, or the answer is too long.
      if (!(error instanceof RuntimeError) || noAnswer.has(error.code)) throw error
      return undefined
    }
  }

  async #found<Answer>(service: string, name: string, request: object): Promise<Answer | undefined> {
    try {
      return await this.#call<Answer>(service, name, request)
    } catch (error) {
      if (error instanceof RuntimeError && error.code === 'NOT_FOUND') return undefined
      throw error
    }
  }

  #call<Answer>(service: string, name: string, request: object): Promise<Answer> {
    return this.#client.call(service, name, request)
  }
}

const cri = 'runtime.v1.RuntimeService'
const introspection = 'containerd.services.introspection.v1.Introspection'

/** Codes of errors about the call itself, not about the requested object. */
const noAnswer = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'UNIMPLEMENTED'])

const messageOf = (name: string) => definitions[name] as MessageTypeDefinition<object, object>

const anyOf = (name: string, value: object): AnyValue => ({
  type_url: name,
  value: messageOf(name).serialize(value),
})

/** @returns undefined for a message of another type */
function runtimeFeatures({ value }: AnyValue): string | undefined {
  try {
    const { features } = messageOf('containerd.types.RuntimeInfo').deserialize(value) as { features: AnyValue | null }
    return features?.value.toString('utf8')
  } catch {
    // The bytes are not a valid message, so the program's features are unknown.
    return undefined
  }
}

const containersMethod = (name: string): [string, string] => ['containerd.services.containers.v1.Containers', name]

/**
 * Converts an event. Its type is the event's full name. A URL of Any usually begins with a host, which containerd's
 * typeurl omits.
 */
function eventOf({ event, timestamp }: WireEnvelope): RuntimeEvent | undefined {
  if (event === null) return undefined
  const type = event.type_url.slice(event.type_url.lastIndexOf('/') + 1)
  const known = definitions[type] as MessageTypeDefinition<object, object> | undefined
  if (known === undefined) return undefined
  const {
    containerId,
    id = '',
    pid,
  } = known.deserialize(event.value) as { containerId: string; id?: string; pid: number }
  switch (type) {
    case 'containerd.events.ContainerCreate':
      return { type: 'created', containerID: id }
    case 'containerd.events.ContainerDelete':
      return { type: 'deleted', containerID: id }
    case 'containerd.events.TaskStart':
      return { type: 'started', containerID: containerId, pid }
    case 'containerd.events.TaskExecStarted':
      return { type: 'exec-started', containerID: containerId, pid, at: Number(timestamp?.seconds ?? 0) }
    case 'containerd.events.TaskExit':
    case 'containerd.events.TaskDelete':
      // The other processes in the container have ids of their own.
      return id === '' || id === containerId ? { type: 'ended', containerID: containerId } : undefined
    default:
      return undefined
  }
}
