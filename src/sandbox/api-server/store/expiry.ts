import type { Clock, Timer } from '../../../base/clock.ts'
import type { KubeObject } from '../kube-object.ts'
import type { Store } from './store.ts'

/** One hour, as kube-apiserver's --event-ttl. */
const lifetime = 3_600_000

/** Lets the objects of a resource go an hour after they were last written. */
export class Expiry {
  private readonly store: Store
  private readonly storage: string
  private readonly clock: Clock
  /** By uid. Every lifetime is the same, so the order of writing is the order of ends. */
  private readonly due = new Map<string, { at: number; object: KubeObject }>()
  private timer: Timer | undefined

  constructor(store: Store, storage: string, clock: Clock) {
    this.store = store
    this.storage = storage
    this.clock = clock
    store.listen((changed, { type, object }) => {
      if (changed !== storage) return
      const { uid = '' } = object.metadata
      this.due.delete(uid)
      if (type !== 'DELETED') this.due.set(uid, { at: clock.now() + lifetime, object })
      this.arm()
    })
  }

  close(): void {
    this.timer?.cancel()
    this.due.clear()
  }

  private arm(): void {
    const [next] = this.due.values()
    if (this.timer || !next) return
    this.timer = this.clock.after(Math.max(0, next.at - this.clock.now()), () => {
      this.timer = undefined
      for (const { at, object } of this.due.values()) {
        if (at > this.clock.now()) break
        this.store.delete(this.storage, object)
      }
      this.arm()
    })
  }
}
