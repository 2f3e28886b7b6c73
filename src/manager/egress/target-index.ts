import type { Labels } from '../../api/label-selector.ts'
import type { TargetMembers } from './target-members.ts'

/** Targets of a kind, found by the labels that what they mean must have: what an object costs does not grow with their number. */
export class TargetIndex {
  readonly #byPlace = new Map<string, Set<TargetMembers>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(target: TargetMembers): void {
    this.#size++
    for (const place of target.places) {
      const there = this.#byPlace.get(place)
      if (there === undefined) this.#byPlace.set(place, new Set([target]))
      else there.add(target)
    }
  }

  delete(target: TargetMembers): void {
    this.#size--
    for (const place of target.places) {
      const there = this.#byPlace.get(place)
      there?.delete(target)
      if (there?.size === 0) this.#byPlace.delete(place)
    }
  }

  *values(): Iterable<TargetMembers> {
    const seen = new Set<TargetMembers>()
    for (const targets of this.#byPlace.values())
      for (const target of targets) {
        if (!seen.has(target)) yield target
        seen.add(target)
      }
  }

  /** Adds all to `found` that may mean an object of the labels. */
  collect(labels: Labels, found: Set<TargetMembers>): void {
    if (this.#size === 0) return
    this.#collectAt('', found)
    for (const key in labels) {
      this.#collectAt(key, found)
      this.#collectAt(`${key}=${labels[key]}`, found)
    }
  }

  #collectAt(place: string, found: Set<TargetMembers>): void {
    const targets = this.#byPlace.get(place)
    if (targets !== undefined) for (const target of targets) found.add(target)
  }
}
