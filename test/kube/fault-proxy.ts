import type { AddressInfo } from 'node:net'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'

/** A way to a server that can be cut or frozen at any time. It passes bytes on, so TLS goes through it. */
export class FaultProxy {
  /** Connections made through it so far. */
  connections = 0
  #server: Server
  #pairs = new Set<{ client: Socket; upstream: Socket }>()
  #refusing = false

  private constructor(host: string, port: number) {
    this.#server = createServer((client) => {
      this.connections++
      if (this.#refusing) {
        client.resetAndDestroy()
        return
      }
      const upstream = dial(port, host)
      const pair = { client, upstream }
      this.#pairs.add(pair)
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        one.on('error', () => other.destroy())
        one.on('close', () => {
          other.destroy()
          this.#pairs.delete(pair)
        })
        one.pipe(other)
      }
    })
  }

  static async start(host: string, port: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(host, port)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size
  }

  /** Resets every connection, in whatever place of a line it is. */
  cut(): void {
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy()
      upstream.destroy()
    }
  }

  /** Every open connection stays open and no longer passes data. New connections work. */
  freeze(): void {
    for (const { client, upstream } of this.#pairs) {
      upstream.unpipe(client)
      client.unpipe(upstream)
      upstream.resume()
    }
  }

  /** New connections are reset, until this is called with false. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
