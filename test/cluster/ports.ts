import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Below the range that the kernel takes ports for outgoing connections from, so that none is lost between here and its use.
const lowest = 12_000
const highest = 30_000

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const tried = new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, () => resolve(true))
  })
  const free = await tried
  if (free) {
    server.close()
    await once(server, 'close')
  }
  return free
}

/** That many different ports of this machine that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(lowest, highest)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}
