import type { HeldTargets } from './held-targets.ts'
import { STEPS } from './in-turns.ts'
import { type IpOwner, serviceOf } from './ip-owner.ts'
import { labelsOf, means, nameIn, type Placed, placed } from './placed.ts'
import type { ProfileTarget } from './profiles.ts'
import type { Moved, WatchedKinds } from './watched-kinds.ts'

export interface MovesOptions {
  watched: WatchedKinds
  held: HeldTargets
  /** The number of steps that this egress directory has done so far. */
  steps(): number
  /** Called when the addresses of a target's objects have changed. */
  changed(target: ProfileTarget): void
}

/**
 * Applies changes of objects to the targets that select the objects. It keeps the EndpointSlices of each Service,
 * because a change of the Service's labels changes the targets of its EndpointSlices.
 */
export class Moves {
  readonly #options: MovesOptions
  /** EndpointSlices by their own key, by the key of their Service. */
  readonly #slices = new Map<string, Map<string, IpOwner>>()

  constructor(options: MovesOptions) {
    this.#options = options
  }

  /** The EndpointSlices of a Service, by key. */
  slicesOf(service: string): ReadonlyMap<string, IpOwner> | undefined {
    return this.#slices.get(service)
  }

  /** Call this when EndpointSlices are no longer watched. */
  forgetSlices(): void {
    this.#slices.clear()
  }

  /** @returns the steps done, which are charged to the object's namespace */
  *handle({ kind, namespace, key, before, now }: Moved): Generator<number, number> {
    const steps = this.#options.steps()
    if (kind === 'pods') yield* this.#move('pods', namespace, placed(before), placed(now))
    else if (kind === 'services') yield* this.#moveService(namespace, key, before, now)
    else yield* this.#moveSlice(namespace, key, before, now)
    return this.#options.steps() - steps
  }

  *#moveService(namespace: string, key: string, before: IpOwner | undefined, now: IpOwner | undefined) {
    const service = nameIn(key)
    yield* this.#move('services', namespace, placed(before, service), placed(now, service))
    if (before !== undefined && now !== undefined && sameLabels(before, now)) return
    // A target that selects a Service also selects the Service's EndpointSlices.
    for (const object of this.#slices.get(key)?.values() ?? [])
      yield* this.#move('services', namespace, { object, owner: before, service }, { object, owner: now, service })
  }

  *#moveSlice(namespace: string, key: string, before: IpOwner | undefined, now: IpOwner | undefined) {
    const [from, to] = [before && serviceOf(before), now && serviceOf(now)]
    if (before !== undefined && from !== undefined && from !== to) this.#keepSlice(from, key, undefined)
    if (now !== undefined && to !== undefined) this.#keepSlice(to, key, now)
    const of = (object: IpOwner | undefined, service: string | undefined): Placed | undefined =>
      service === undefined
        ? undefined
        : placed(object, nameIn(service), this.#options.watched.get('services', namespace, service))
    yield* this.#move('services', namespace, of(before, from), of(now, to))
  }

  #keepSlice(service: string, key: string, now: IpOwner | undefined): void {
    const known = this.#slices.get(service) ?? new Map<string, IpOwner>()
    if (now === undefined) known.delete(key)
    else known.set(key, now)
    if (known.size > 0) this.#slices.set(service, known)
    else this.#slices.delete(service)
  }

  *#move(kind: 'pods' | 'services', namespace: string, before: Placed | undefined, now: Placed | undefined) {
    const { held } = this.#options
    const found = new Set<ProfileTarget>()
    let steps = 1
    for (const service of new Set([before?.service, now?.service])) {
      const named = service === undefined ? undefined : held.named(namespace, service)
      if (named !== undefined) found.add(named)
    }
    for (const object of new Set([before?.object, before?.owner, now?.object, now?.owner]))
      if (object !== undefined) steps += held.index[kind].collect(namespace, labelsOf(object), found)
    for (const target of found) {
      steps += 2 * target.conditions
      if (steps > STEPS) {
        yield steps
        steps = 0
      }
      if (!target.isFilled || !target.isUsed) continue
      const removed = before !== undefined && means(target, namespace, before) ? before.object : undefined
      const added = now !== undefined && means(target, namespace, now) ? now.object : undefined
      if (removed !== added) steps += this.#change(target, namespace, removed, added)
    }
    yield steps
  }

  #change(target: ProfileTarget, namespace: string, removed: IpOwner | undefined, added: IpOwner | undefined): number {
    const { held, changed } = this.#options
    const steps = removed === undefined ? 1 : target.membersOf(namespace) / 64
    const bytes =
      (removed === undefined ? 0 : target.remove(namespace, removed)) +
      (added === undefined ? 0 : target.add(namespace, added))
    if (removed?.mark !== added?.mark) changed(target)
    if (bytes !== 0) held.resized(target, bytes)
    return 4 + steps
  }
}

const sameLabels = (one: IpOwner, other: IpOwner): boolean =>
  labelsOf(one) === labelsOf(other) || JSON.stringify(labelsOf(one)) === JSON.stringify(labelsOf(other))
