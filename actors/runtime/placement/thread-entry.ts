import { parentPort, workerData } from 'node:worker_threads'
import type { Logger } from '../../../src/base/logger.ts'
import type { StopOptions } from '../reference.ts'
import { ActorSystem } from '../system.ts'
import { Link } from './link.ts'
import type { Batch } from './protocol.ts'
import { RemoteReference } from './remote-reference.ts'
import type { ThreadData } from './thread.ts'

/** The default export of a thread's module: it defines the thread's families, and may create actors. */
export type Install<Data = unknown> = (system: ActorSystem, data: Data) => void | Promise<void>

/** Runs in the worker: an actor system that forwards messages for unknown addresses to the main thread. */
async function run(port: NonNullable<typeof parentPort>, { name, module, data, limit }: ThreadData): Promise<void> {
  const logger: Logger = {
    debug: (fields, text) => link.sendLog('debug', fields, text),
    info: (fields, text) => link.sendLog('info', fields, text),
    warn: (fields, text) => link.sendLog('warn', fields, text),
    error: (fields, text) => link.sendLog('error', fields, text),
  }
  const system: ActorSystem = new ActorSystem({
    logger,
    elsewhere: (address): RemoteReference<unknown> => new RemoteReference(link, address, system.environment.deadlines),
  })
  const close = async (options: StopOptions): Promise<void> => {
    await system.stop(options)
    link.finish()
    port.close()
  }
  const link: Link = new Link({
    name,
    environment: system.environment,
    limit,
    resolve: (address) => system.lookupHere(address),
    stats: () => system.statsWith([link.counters]),
    close: (options) => void close(options),
  })
  port.on('message', (batch: Batch) => link.receive(batch))
  link.attach(port)
  const { default: install } = (await import(module)) as { default: Install }
  await install(system, data)
  link.sendReady()
}

if (parentPort === null) throw new Error('thread-entry.ts is the main module of a worker thread')
await run(parentPort, workerData as ThreadData)
