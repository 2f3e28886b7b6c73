import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { ClusterClient } from './cluster-client.ts'
import type { EventRecorder } from './event-recorder.ts'
import type { Informers } from './informers.ts'
import type { Resource } from './resources.ts'
import { WorkQueue } from './work-queue.ts'

/** What every controller works with. */
export interface Environment {
  readonly client: ClusterClient
  readonly informers: Informers
  readonly clock: Clock
  readonly random: Random
  readonly events: EventRecorder
  /** Is told of work that failed. It is tried again. */
  failed(controller: string, key: string, error: unknown, failures: number): void
}

/** Makes an object by key what its spec wants. Reads from the shared copies, writes with the client it is given. */
export type Sync = (key: string, client: ClusterClient) => Promise<void>

export interface ControllerOptions {
  readonly concurrency?: number
  readonly interval?: number
}

/**
 * A queue of a controller. A key is worked on again only once the shared copies have what its last work wrote, so that
 * no work acts on a state that is older than its own doing.
 */
export function controllerQueue(
  environment: Environment,
  name: string,
  sync: Sync,
  options: ControllerOptions = {},
): WorkQueue {
  const { clock, random, client, informers } = environment
  const work = async (key: string): Promise<void> => {
    // Who acts before all copies are complete takes for missing what it does not know yet.
    await informers.synced()
    if (informers.stopped) return
    const written = new Map<string, { resource: Resource; version: number }>()
    const observed = client.observed((resource, resourceVersion) => {
      const version = Number(resourceVersion)
      const known = written.get(resource.plural)
      if (!known || known.version < version) written.set(resource.plural, { resource, version })
    })
    try {
      await sync(key, observed)
    } finally {
      for (const { resource, version } of written.values()) await informers.reached(resource, version)
    }
  }
  return new WorkQueue({
    ...options,
    clock,
    random,
    work,
    failed: (key, error, failures) => environment.failed(name, key, error, failures),
  })
}

/** What a controller leaves to be ended. */
export interface Controller {
  readonly name: string
  readonly queue: WorkQueue
}
