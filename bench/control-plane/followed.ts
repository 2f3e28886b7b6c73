import type { ApiClient } from '../../src/kube/client.ts'
import type { KubeObject, ResourceRef } from '../../src/kube/objects.ts'
import { clientSource, Reflector } from '../../src/kube/reflector.ts'

/** The current objects of a kind, kept up to date by a watch. */
export class Followed<T extends KubeObject> {
  readonly #reflector: Reflector<T>
  #poll: (() => void) | undefined

  private constructor(reflector: Reflector<T>, changed: (object: T) => void) {
    this.#reflector = reflector
    reflector.subscribe({
      name: 'bench',
      mode: 'edge',
      bound: 1_000_000,
      handle: ({ object }) => {
        changed(object)
        this.#poll?.()
      },
    })
  }

  /** @param changed called with each state of each object */
  static async start<T extends KubeObject>(
    client: ApiClient,
    ref: ResourceRef<T>,
    changed: (object: T) => void = () => undefined,
  ): Promise<Followed<T>> {
    const reflector = new Reflector<T>({ source: clientSource(client, ref) })
    const followed = new Followed(reflector, changed)
    reflector.start()
    await reflector.synced
    return followed
  }

  get all(): T[] {
    return [...this.#reflector.store.values()]
  }

  count(is: (object: T) => boolean): number {
    return this.all.filter(is).length
  }

  /** Checks each change, at most ten times a second. @throws after `limit` milliseconds, with the current state */
  until(what: string, holds: (all: T[]) => boolean, limit: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let check = 0
      const end = performance.now() + limit
      const done = (error?: Error): void => {
        clearInterval(timer)
        this.#poll = undefined
        if (error === undefined) resolve()
        else reject(error)
      }
      const poll = (): void => {
        if (performance.now() < check) return
        check = performance.now() + 20
        if (holds(this.all)) done()
        else if (performance.now() > end)
          done(new Error(`timed out after ${limit} ms while waiting for ${what} (${this.all.length} objects)`))
      }
      const timer = setInterval(poll, 25)
      this.#poll = poll
    })
  }

  stop(): Promise<void> {
    return this.#reflector.stop()
  }
}
