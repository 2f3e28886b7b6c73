import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import type { MessageTypeDefinition } from '@grpc/proto-loader'
import { type AnyValue, protoDefinitions } from '../../../src/agent/containers/grpc-client.ts'
import { runtimeProtos } from '../../../src/agent/containers/runtime-protos.ts'

const definitions = protoDefinitions(runtimeProtos)
type Fields = Record<string, unknown>
const messageOf = (name: string) => definitions[name] as MessageTypeDefinition<Fields, Fields>

/** The answer of a shim: the features of its program, other bytes, or a failure. */
export type ShimAnswer = { features: string | undefined } | { bytes: Buffer } | { fails: number } | 'hangs'

/** A containerd that answers only requests for versions and features. */
export class FakeContainerd {
  static #count = 0
  readonly socket = join(tmpdir(), `varmor-ctrd-${process.pid}-${FakeContainerd.#count++}.sock`)
  /** The requests that each shim received. */
  readonly asked: { path: string; binary: string | undefined }[] = []
  version = '2.4.2'
  config: string | undefined = '{}'
  /** The answer to a request for features; undefined: this containerd does not know the request. */
  answerOf: ((binary: string, path: string) => ShimAnswer) | undefined
  readonly #server = new Server()

  async start(): Promise<void> {
    const add = (service: string, calls: Record<string, (request: Fields) => object | number | 'hangs'>): void => {
      const named = Object.entries(calls).map(([name, answerTo]) => [
        name,
        ({ request }: ServerUnaryCall<object, object>, answer: sendUnaryData<object>) => {
          const found = answerTo(request as Fields)
          if (found === 'hangs') return
          if (typeof found === 'number') answer({ code: found, details: 'it does not go' })
          else answer(null, found)
        },
      ])
      this.#server.addService(definitions[service] as ServiceDefinition, Object.fromEntries(named))
    }
    add('containerd.services.version.v1.Version', { Version: () => ({ version: this.version }) })
    add('runtime.v1.RuntimeService', {
      Status: ({ verbose }) =>
        this.config === undefined || verbose !== true ? status.UNIMPLEMENTED : { info: { config: this.config } },
    })
    add('containerd.services.introspection.v1.Introspection', {
      PluginInfo: ({ type, id, options }) => {
        if (type !== 'io.containerd.runtime.v2' || id !== 'task') return status.NOT_FOUND
        if (this.answerOf === undefined) return status.UNIMPLEMENTED
        return this.#pluginInfo((options as AnyValue).value, this.answerOf)
      },
    })
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${this.socket}`, ServerCredentials.createInsecure(), (error) =>
        error === null ? resolve() : reject(error),
      )
    })
  }

  stop(): void {
    this.#server.forceShutdown()
    rmSync(this.socket, { force: true })
  }

  #pluginInfo(request: Buffer, answerOf: NonNullable<typeof this.answerOf>): object | number | 'hangs' {
    const { runtimePath, options } = messageOf('containerd.types.RuntimeRequest').deserialize(request)
    const given = options as AnyValue | null
    const binary = given
      ? String(messageOf('containerd.runc.v1.Options').deserialize(given.value)['binaryName'])
      : undefined
    this.asked.push({ path: String(runtimePath), binary })
    const answer = answerOf(binary ?? 'runc', String(runtimePath))
    if (answer === 'hangs') return answer
    if ('fails' in answer) return answer.fails
    if ('bytes' in answer) return { extra: anyOf('containerd.types.RuntimeInfo', answer.bytes) }
    const features =
      answer.features === undefined
        ? null
        : anyOf('types.containerd.io/opencontainers/runtime-spec/1/features/Features', Buffer.from(answer.features))
    const info = messageOf('containerd.types.RuntimeInfo').serialize({ features })
    return { extra: anyOf('containerd.types.RuntimeInfo', info) }
  }
}

const anyOf = (name: string, value: Buffer): AnyValue => ({ type_url: name, value })
