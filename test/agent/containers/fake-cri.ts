import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { protoDefinitions } from '../../../src/agent/containers/grpc-client.ts'
import { runtimeProtos } from '../../../src/agent/containers/runtime-protos.ts'

const service = protoDefinitions(runtimeProtos)['runtime.v1.RuntimeService'] as ServiceDefinition
type Unary = (call: ServerUnaryCall<object, object>, answer: sendUnaryData<object>) => void

/**
 * A runtime's answer to a request for events: it sends them, ends the stream at once without events, or does not know
 * the call.
 */
export type Events = 'told' | 'ends' | 'unknown'

interface FakeContainer {
  state: 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED'
  pid: number
  info: string
}

/** A runtime that speaks CRI on a socket. */
export class FakeCri {
  static #count = 0
  readonly socket = join(tmpdir(), `varmor-cri-${process.pid}-${FakeCri.#count++}.sock`)
  readonly containers = new Map<string, FakeContainer>()
  /** Calls so far, by name. */
  readonly calls: string[] = []
  readonly #server = new Server()
  readonly #streams = new Set<ServerWritableStream<object, object>>()

  async start(events: Events): Promise<void> {
    const named =
      (name: string, answerOf: (request: never) => object | 'fails' | undefined): Unary =>
      ({ request }, answer) => {
        this.calls.push(name)
        const found = answerOf(request as never)
        if (found === 'fails') answer({ code: status.UNKNOWN, details: 'its state is broken' })
        else if (found === undefined) answer({ code: status.NOT_FOUND, details: 'no such container' })
        else answer(null, found)
      }
    this.#server.addService(service, {
      ListContainers: named('ListContainers', ({ filter }: { filter: { id: string } | null }) => ({
        containers: Array.from(this.containers, ([id, { state }]) => ({
          ...{ id, podSandboxId: `pod-of-${id}`, metadata: { name: 'web' }, state },
          labels: { 'io.kubernetes.pod.name': 'web-0' },
        })).filter(({ id }) => filter === null || filter.id === '' || filter.id === id),
      })),
      ContainerStatus: named(
        'ContainerStatus',
        ({ containerId, verbose }: { containerId: string; verbose: boolean }) => {
          const found = this.containers.get(containerId)
          if (found === undefined || !verbose) return undefined
          if (found.info === 'fails') return 'fails'
          return { status: { image: { image: 'nginx:1' }, state: found.state }, info: { info: found.info } }
        },
      ),
      ListPodSandbox: named('ListPodSandbox', () => ({
        items: [
          { id: 'pod-of-a', metadata: { name: 'web-0', namespace: 'demo', uid: 'u' }, annotations: { one: '1' } },
        ],
      })),
      ...(events !== 'unknown' && {
        GetContainerEvents: (call: ServerWritableStream<object, object>) => {
          if (events === 'ends') call.end()
          else {
            this.#streams.add(call)
            call.sendMetadata(call.metadata)
          }
        },
      }),
    } as never)
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${this.socket}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      )
    })
  }

  /** Tells whether a client follows the runtime's events. */
  get isFollowed(): boolean {
    return this.#streams.size > 0
  }

  create(id: string, spec: object = {}): void {
    this.#put(id, 'CONTAINER_CREATED', 0, spec)
    this.#tell(id, 'CONTAINER_CREATED_EVENT')
  }

  run(id: string, pid: number, spec: object = {}): void {
    this.#put(id, 'CONTAINER_RUNNING', pid, spec)
    this.#tell(id, 'CONTAINER_STARTED_EVENT')
  }

  end(id: string): void {
    const found = this.containers.get(id)
    if (found !== undefined) found.state = 'CONTAINER_EXITED'
    this.#tell(id, 'CONTAINER_STOPPED_EVENT')
  }

  remove(id: string): void {
    this.containers.delete(id)
    this.#tell(id, 'CONTAINER_DELETED_EVENT')
  }

  stop(): void {
    this.#server.forceShutdown()
    rmSync(this.socket, { force: true })
  }

  #put(id: string, state: FakeContainer['state'], pid: number, runtimeSpec: object): void {
    this.containers.set(id, { state, pid, info: JSON.stringify({ sandboxID: `pod-of-${id}`, pid, runtimeSpec }) })
  }

  #tell(containerId: string, containerEventType: string): void {
    for (const stream of this.#streams) stream.write({ containerId, containerEventType })
  }
}
