import type { Clock, Timer } from '../../../base/clock.ts'
import type { Store } from './store.ts'

/** One hour, as kube-apiserver's --event-ttl. */
const lifetime = 3_600_000

interface Due {
  at: number
  namespace: string
  name: string
  version: string
}

/** Lets the objects of a resource go an hour after they were last written. */
export class Expiry {
  private readonly store: Store
  private readonly storage: string
  private readonly clock: Clock
  private queue: Due[] = []
  private head = 0
  private timer: Timer | undefined

  constructor(store: Store, storage: string, clock: Clock) {
    this.store = store
    this.storage = storage
    this.clock = clock
    store.listen((changed, { type, object }) => {
      if (changed !== storage || type === 'DELETED') return
      const { namespace = '', name, resourceVersion = '' } = object.metadata
      // Every lifetime is the same, so the queue is in the order of its ends.
      this.queue.push({ at: clock.now() + lifetime, namespace, name, version: resourceVersion })
      this.arm()
    })
  }

  close(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.queue = []
    this.head = 0
  }

  private arm(): void {
    const next = this.queue[this.head]
    if (this.timer || !next) return
    this.timer = this.clock.after(Math.max(0, next.at - this.clock.now()), () => {
      this.timer = undefined
      this.expire()
      this.arm()
    })
  }

  private expire(): void {
    const now = this.clock.now()
    while (this.head < this.queue.length && this.queue[this.head]!.at <= now) {
      const { namespace, name, version } = this.queue[this.head++]!
      const found = this.store.get(this.storage, namespace, name)
      // One that was written since is in the queue again.
      if (found?.metadata.resourceVersion === version) this.store.delete(this.storage, found)
    }
    if (this.head > 1024) {
      this.queue = this.queue.slice(this.head)
      this.head = 0
    }
  }
}
