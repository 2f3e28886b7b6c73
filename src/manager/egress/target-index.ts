import type { Labels } from '../../api/label-selector.ts'
import type { Target, User } from './target.ts'

type Place<P extends User> = Target<P> | Set<Target<P>>

/**
 * Finds the targets that may select an object, by the object's namespace and labels. A lookup reads only the targets
 * under these labels, not all targets.
 */
export class TargetIndex<P extends User> {
  readonly #byNamespace = new Map<string, Map<string, Place<P>>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(target: Target<P>): void {
    this.#size++
    const places = this.#byNamespace.get(target.namespace) ?? new Map<string, Place<P>>()
    this.#byNamespace.set(target.namespace, places)
    for (const place of target.places) {
      const there = places.get(place)
      if (there instanceof Set) there.add(target)
      else places.set(place, there === undefined ? target : new Set([there, target]))
    }
  }

  delete(target: Target<P>): void {
    const places = this.#byNamespace.get(target.namespace)
    if (places === undefined) return
    this.#size--
    for (const place of target.places) {
      const there = places.get(place)
      if (there instanceof Set) there.delete(target)
      if (there === target || (there instanceof Set && there.size === 0)) places.delete(place)
    }
    if (places.size === 0) this.#byNamespace.delete(target.namespace)
  }

  /** The targets of a namespace under one label. */
  at(namespace: string, place: string): Iterable<Target<P>> {
    return all(this.#byNamespace.get(namespace)?.get(place))
  }

  /**
   * Adds to `found` all targets that may select an object with this namespace and these labels. The caller must check
   * them.
   * @returns the steps done
   */
  collect(namespace: string, labels: Labels, found: Set<Target<P>>): number {
    if (this.#size === 0) return 0
    let steps = 0
    for (const one of namespace === '' ? [''] : ['', namespace]) {
      const places = this.#byNamespace.get(one)
      if (places === undefined) continue
      steps += collectAt(places, '', found)
      for (const key in labels) {
        steps += collectAt(places, key, found)
        steps += collectAt(places, `${key}=${labels[key]}`, found)
      }
    }
    return steps
  }
}

const all = <P extends User>(place: Place<P> | undefined): Iterable<Target<P>> =>
  place === undefined ? [] : place instanceof Set ? place : [place]

function collectAt<P extends User>(
  places: ReadonlyMap<string, Place<P>>,
  place: string,
  found: Set<Target<P>>,
): number {
  const there = places.get(place)
  if (there === undefined) return 1
  for (const target of all(there)) found.add(target)
  return there instanceof Set ? there.size : 1
}
