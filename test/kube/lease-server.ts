import type { Lease } from '../../src/kube/resources.ts'
import { thing } from './harness.ts'
import { type Answer, json, ScriptedServer, type Seen, silence, status, until } from './scripted-server.ts'

/** An API server that has one lease, and counts writes of other objects. */
export class LeaseServer {
  lease: Lease | undefined
  /** Status of every answer, if it is set. */
  down: number | undefined
  /** Does not answer writes of other objects. */
  hold = false
  readonly server: ScriptedServer
  #version = 1
  #answered = 0

  private constructor(server: ScriptedServer) {
    this.server = server
    server.otherwise = (response, seen) => {
      response.on('close', () => this.#answered++)
      this.#answer(seen)(response, seen)
    }
  }

  static async start(): Promise<LeaseServer> {
    return new LeaseServer(await ScriptedServer.start())
  }

  get url(): string {
    return this.server.url
  }

  /** Requests of this kind that wrote the lease. */
  writes(plural: string): number {
    return this.server.seen.filter(({ method, path }) => method !== 'GET' && path.includes(`/${plural}`)).length
  }

  change(how: (spec: NonNullable<Lease['spec']>) => Lease['spec']): void {
    const spec = how({ ...this.lease?.spec })
    this.lease = {
      ...this.lease,
      metadata: { ...this.lease?.metadata, resourceVersion: String(++this.#version) },
      spec: spec!,
    }
  }

  /** Waits until no more requests arrive. */
  async quiet(): Promise<void> {
    const turns = async () => {
      for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    await turns()
    if (!this.hold) await until('all answers', () => this.#answered >= this.server.seen.length)
    await turns()
  }

  stop(): Promise<void> {
    return this.server.stop()
  }

  #answer(seen: Seen): Answer {
    if (this.down !== undefined) return status(this.down, 'InternalError')
    if (seen.path.includes('/things')) return this.hold ? silence : json(thing('one', 2))
    if (seen.method === 'GET') return this.lease === undefined ? status(404, 'NotFound') : json(this.lease)
    const given = JSON.parse(seen.body) as Lease
    if (seen.method === 'POST' && this.lease !== undefined) return status(409, 'AlreadyExists')
    if (seen.method === 'PUT' && given.metadata?.resourceVersion !== this.lease?.metadata?.resourceVersion)
      return status(409, 'Conflict')
    this.lease = { ...given, metadata: { ...given.metadata, resourceVersion: String(++this.#version) } }
    return json(this.lease)
  }
}
