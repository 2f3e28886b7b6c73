import type { KubeObject } from '../kube-object.ts'
import { lowerBound } from './object-table.ts'

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** One change of one object, as the history keeps it. For a deletion, `object` is the last state at the deletion's revision. */
export interface StoreEvent {
  readonly revision: number
  readonly type: ChangeType
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
}

/** The newest changes of one resource, oldest first, bounded. */
export class History {
  private events: StoreEvent[] = []
  /** Every change after this revision is here; a watch from an earlier one is too old. */
  floor = 0
  private readonly limit: number

  constructor(limit: number) {
    this.limit = limit
  }

  /** Cuts to the limit once there is a quarter more, so that a change costs the same on average however long the history. */
  append(event: StoreEvent): void {
    this.events.push(event)
    if (this.events.length <= 1.25 * this.limit) return
    this.compact(this.events[this.events.length - this.limit - 1]!.revision)
  }

  /** Forgets every change up to and including `revision`. */
  compact(revision: number): void {
    this.events = this.after(revision)
    this.floor = Math.max(this.floor, revision)
  }

  /** The changes after `revision`, oldest first. The caller has compared with `floor`. */
  after(revision: number): StoreEvent[] {
    return this.events.slice(lowerBound(this.events, (event) => event.revision <= revision))
  }
}
