import type { AddressInfo } from 'node:net'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'

/**
 * A TCP proxy in front of a server; a test can cut or freeze its connections at any time. It forwards bytes, so TLS
 * works through it.
 */
export class FaultProxy {
  /** Number of connections so far. */
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

  /** Number of open connections. */
  get open(): number {
    return this.#pairs.size
  }

  /** Resets every connection, also in the middle of a line. */
  cut(): void {
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy()
      upstream.destroy()
    }
  }

  /** Freezes all open connections: they stay open, but pass no data. New connections work. */
  freeze(): void {
    for (const { client, upstream } of this.#pairs) {
      upstream.unpipe(client)
      client.unpipe(upstream)
      upstream.resume()
    }
  }

  /** Resets new connections until it is called with false. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing
  }

  async stop(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
