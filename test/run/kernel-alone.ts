import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** A socket in the abstract namespace, so that the kernel frees it when its process ends. */
const name = '\0varmor-tests-kernel-alone'

async function take(): Promise<Server> {
  for (;;) {
    const lock = createServer()
    lock.listen({ path: name })
    try {
      await once(lock, 'listening')
      return lock
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      await pause(100)
    }
  }
}

/**
 * Gives the tests of this suite exclusive use of the machine's audit records and process events: all processes share
 * the backlog, its limit and the counters of losses.
 */
export function withKernelAlone(): void {
  let lock: Server | undefined
  before('wait until no other test uses the kernel', async function () {
    this.timeout(0)
    lock = await take()
  })
  after(() => void lock?.close())
}
