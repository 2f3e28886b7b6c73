import type { EgressTarget } from '../../api/types.ts'
import type { Clock } from '../../base/clock.ts'
import type { HeldTargets } from './held-targets.ts'
import { STEPS } from './in-turns.ts'
import { type IpOwner, serviceOf } from './ip-owner.ts'
import type { Moves } from './moves.ts'
import { labelsOf, means, nameIn, type Placed } from './placed.ts'
import type { Profile, ProfileTarget } from './profiles.ts'
import { TargetIndex } from './target-index.ts'
import { spendFor } from './unfilled.ts'
import type { Kind, WatchedKinds } from './watched-kinds.ts'

/** The kinds of objects from which each kind of target gets its addresses. */
export const needs: Record<EgressTarget['kind'], readonly Kind[]> = {
  pods: ['pods'],
  service: ['services', 'slices'],
  services: ['services', 'slices'],
}
export const targetKinds = Object.keys(needs) as EgressTarget['kind'][]

export interface FillingOptions {
  watched: WatchedKinds
  held: HeldTargets
  moves: Moves
  clock: Clock
  /** The number of steps that this egress directory has done so far. */
  steps(): number
  /** Called when the target has all its existing objects. */
  filled(target: ProfileTarget): void
}

/** Finds the existing objects that new targets select. */
export class Filling {
  readonly #options: FillingOptions

  constructor(options: FillingOptions) {
    this.#options = options
  }

  /** When the next search may start, in milliseconds since the epoch. Infinity if no target waits. */
  get readyAt(): number {
    return Math.min(...this.#fillable().map((kind) => this.#options.held.unfilled[kind].readyAt))
  }

  /** The kinds of targets for which all objects are known, because the first lists are complete. */
  #fillable(): EgressTarget['kind'][] {
    const { watched } = this.#options
    return targetKinds.filter((kind) => needs[kind].every((one) => watched.isComplete(one)))
  }

  /** Reads all objects once, and adds them to as many waiting targets as one pass allows. */
  *some(): Generator<number, void> {
    const { clock, held, steps, filled } = this.#options
    for (const kind of this.#fillable()) {
      const batch = held.unfilled[kind].take(clock.now())
      if (batch.length === 0) continue
      const before = steps()
      if (kind === 'service') for (const target of batch) yield this.#fillNamed(target)
      else yield* this.#fillAll(kind, batch)
      spendFor(batch, steps() - before, clock.now())
      for (const target of batch) {
        target.isFilled = true
        filled(target)
        yield target.users.length
      }
    }
  }

  #fillNamed(target: ProfileTarget): number {
    const { watched, moves } = this.#options
    const { namespace, name } = target
    const key = `${namespace}/${name}`
    const slices = moves.slicesOf(key)
    const service = watched.get('services', namespace, key)
    for (const object of [...(service === undefined ? [] : [service]), ...(slices?.values() ?? [])])
      this.#fill(target, namespace, { object, service: name })
    return 2 + (slices?.size ?? 0)
  }

  *#fillAll(of: 'pods' | 'services', batch: readonly ProfileTarget[]) {
    const { watched } = this.#options
    const index = new TargetIndex<Profile>()
    for (const target of batch) index.add(target)
    yield batch.length
    const found = new Set<ProfileTarget>()
    const isEverywhere = batch.some(({ namespace }) => namespace === '')
    const wanted = new Set(batch.map(({ namespace }) => namespace))
    let steps = 0
    for (const kind of needs[of])
      for (const [namespace, objects] of watched.objects(kind)) {
        if (!isEverywhere && !wanted.has(namespace)) continue
        for (const [key, object] of objects) {
          found.clear()
          const now = this.#placedNow(kind, namespace, key, object)
          steps += 1 + index.collect(namespace, labelsOf(object), found)
          if (now.owner !== undefined) steps += index.collect(namespace, labelsOf(now.owner), found)
          for (const target of found) {
            steps += target.conditions
            this.#fill(target, namespace, now)
            if (steps < STEPS) continue
            yield steps
            steps = 0
          }
          if (steps < STEPS) continue
          yield steps
          steps = 0
        }
      }
    yield steps
  }

  #placedNow(kind: Kind, namespace: string, key: string, object: IpOwner): Placed {
    if (kind === 'pods') return { object }
    if (kind === 'services') return { object, service: nameIn(key) }
    const service = serviceOf(object)
    // Targets select an EndpointSlice only through its Service. So the addresses of a slice without a Service do not
    // count.
    if (service === undefined) return { object: { ...object, groups: [] } }
    return { object, service: nameIn(service), owner: this.#options.watched.get('services', namespace, service) }
  }

  #fill(target: ProfileTarget, namespace: string, now: Placed): void {
    if (target.isUsed && means(target, namespace, now))
      this.#options.held.resized(target, target.add(namespace, now.object))
  }
}
