import type { WallMs } from '../../base/clock.ts'
import type { Loss } from '../sink/loss-tally.ts'
import type { AuditSource } from './source.ts'

/** Says what a source lost since the last look, so that what was said adds up to what the source has counted. */
export class SourceLosses {
  readonly #source: AuditSource
  readonly #note: (loss: Loss) => void
  readonly #now: () => WallMs
  readonly #said = new Map<string, number>()
  #lastLook: WallMs

  constructor(source: AuditSource, note: (loss: Loss) => void, now: () => WallMs) {
    this.#source = source
    this.#note = note
    this.#now = now
    this.#lastLook = now()
  }

  look(): void {
    const { dropped } = this.#source.stats()
    const since = this.#lastLook
    this.#lastLook = this.#now()
    for (const [name, { where, why, counted = true }] of Object.entries(this.#source.lossKinds ?? {})) {
      const count = dropped[name] ?? 0
      const fresh = count - (this.#said.get(name) ?? 0)
      if (fresh <= 0) continue
      this.#said.set(name, count)
      this.#note({ where, why, since, ...(counted && { events: fresh }) })
    }
  }
}
