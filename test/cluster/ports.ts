import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ListenOptions, type Server } from 'node:net'

// The ports lie below the kernel's range for outgoing connections, so that no connection takes a chosen port before its
// use.
const lowest = 12_000
const highest = 30_000

/** @returns a server that listens at the port; undefined if another process uses it */
async function tryListen(where: ListenOptions): Promise<Server | undefined> {
  const server = createServer()
  const listens = new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(where, () => resolve(true))
  })
  return (await listens) ? server : undefined
}

/**
 * Tells whether the port is free and no other test process of this machine has chosen it. Each process reserves a name
 * for its ports until it ends.
 */
async function take(port: number): Promise<boolean> {
  const server = await tryListen({ port })
  if (server === undefined) return false
  server.close()
  await once(server, 'close')
  const name = await tryListen({ path: `\0varmor-test-port-${port}` })
  name?.unref()
  return name !== undefined
}

/** Chooses this number of different free ports of this machine. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(lowest, highest)
    if (await take(port)) ports.add(port)
  }
  return [...ports]
}
