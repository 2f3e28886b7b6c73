import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** In the abstract namespace, so that the kernel frees it with the process that holds it. */
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
 * Lets the tests of this suite have the machine's audit records and process events for themselves: the backlog, its
 * limit and the counters of losses are one for all processes.
 */
export function withKernelAlone(): void {
  let lock: Server | undefined
  before('wait until no other test uses the kernel', async function () {
    this.timeout(0)
    lock = await take()
  })
  after(() => void lock?.close())
}
