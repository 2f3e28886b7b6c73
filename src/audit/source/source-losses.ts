import type { WallMs } from '../../base/clock.ts'
import type { Reached } from '../sink/loss-log.ts'
import type { Loss } from '../sink/loss-tally.ts'
import type { AuditSource } from './source.ts'

/** Reports a source's losses since the last check. The sum of all reports equals the counts of the source. */
export class SourceLosses {
  readonly #source: AuditSource
  readonly #note: (loss: Loss, reached?: Reached) => void
  readonly #now: () => WallMs
  readonly #said = new Map<string, number>()
  #lastLook: WallMs
  /** The source's `lossMark` up to which losses are reported, or stored as unreported. */
  mark: unknown

  constructor(source: AuditSource, note: (loss: Loss, reached?: Reached) => void, now: () => WallMs) {
    this.#source = source
    this.#note = note
    this.#now = now
    this.#lastLook = now()
  }

  /** @param reached calls back when a later agent cannot lose the same records again */
  poll(reached?: Reached): void {
    const { dropped } = this.#source.stats()
    const { lossMark } = this.#source
    let isAny = false
    const since = this.#lastLook
    this.#lastLook = this.#now()
    for (const [name, { where, why, counted = true }] of Object.entries(this.#source.lossKinds ?? {})) {
      const count = dropped[name] ?? 0
      const fresh = count - (this.#said.get(name) ?? 0)
      if (fresh <= 0) continue
      this.#said.set(name, count)
      isAny = true
      this.#note({ where, why, since, ...(counted && { events: fresh }) }, reached)
    }
    if (isAny)
      reached?.(() => {
        this.mark = lossMark
      })
  }
}
