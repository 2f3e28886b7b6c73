import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { Loader, WantedContent } from './ports.ts'

/** Digests by name: empty for what is there and is not, or not certainly, what was loaded. */
export type Listing = ReadonlyMap<string, string>

/**
 * What the enforcers of a node hold, listed once for all its actors and kept up to date with what they do. What happens
 * behind their back shows after `refresh`.
 */
export class EnforcerListings {
  readonly #listings: ReadonlyMap<KernelEnforcer, EnforcerListing>

  constructor(loaders: Readonly<Record<KernelEnforcer, Loader>>) {
    const entries = Object.entries(loaders) as [KernelEnforcer, Loader][]
    this.#listings = new Map(entries.map(([enforcer, loader]) => [enforcer, new EnforcerListing(loader)]))
  }

  get enforcers(): KernelEnforcer[] {
    return [...this.#listings.keys()]
  }

  /** @throws {LoadFailure} as a rejection, when the enforcer could not be listed yet */
  listing(enforcer: KernelEnforcer): Promise<Listing> {
    return this.#of(enforcer).listing()
  }

  /** @param tenant as of `Loader` */
  load(enforcer: KernelEnforcer, name: string, wanted: Required<WantedContent>, tenant: string): Promise<void> {
    return this.#of(enforcer).load(name, wanted, tenant)
  }

  /** @param needed as of `Loader` */
  unload(enforcer: KernelEnforcer, name: string, needed: () => Promise<boolean>): Promise<void> {
    return this.#of(enforcer).unload(name, needed)
  }

  /** Puts what allows all in the place of the profile. */
  free(enforcer: KernelEnforcer, name: string): Promise<void> {
    return this.#of(enforcer).free(name)
  }

  /** Whether what allows all is in the place of the profile, by this process. */
  isFree(enforcer: KernelEnforcer, name: string): boolean {
    return this.#of(enforcer).isFree(name)
  }

  /** Lists all enforcers anew. @returns what went wrong; the listing of before stays then */
  async refresh(): Promise<{ enforcer: KernelEnforcer; error: unknown }[]> {
    const results = await Promise.allSettled(Array.from(this.#listings.values(), (listing) => listing.refresh()))
    return results.flatMap((result, i) =>
      result.status === 'rejected' ? [{ enforcer: this.enforcers[i]!, error: result.reason as unknown }] : [],
    )
  }

  #of(enforcer: KernelEnforcer): EnforcerListing {
    return this.#listings.get(enforcer)!
  }
}

class EnforcerListing {
  readonly #loader: Loader
  #names: Map<string, string> | undefined
  /** What the loader put in the place of profiles that were freed. */
  readonly #freed = new Map<string, string>()
  #listing: Promise<void> | undefined
  /** The listing after the one under way. */
  #next: Promise<void> | undefined
  /** Names whose state changed since the listing under way began: what it says of them may be older. */
  #touched = new Set<string>()

  constructor(loader: Loader) {
    this.#loader = loader
  }

  async listing(): Promise<Listing> {
    while (this.#names === undefined) await (this.#listing ?? this.#begin())
    return this.#names
  }

  /** A listing under way may have missed what happened before this call: another follows it. */
  refresh(): Promise<void> {
    if (this.#listing === undefined) return this.#begin()
    const begin = (): Promise<void> => {
      this.#next = undefined
      return this.#begin()
    }
    this.#next ??= this.#listing.then(begin, begin)
    return this.#next
  }

  #begin(): Promise<void> {
    this.#listing = this.#list().finally(() => {
      this.#listing = undefined
    })
    return this.#listing
  }

  async load(name: string, { content, digest }: Required<WantedContent>, tenant: string): Promise<void> {
    await this.#change(name, async () => {
      await this.#loader.load(name, content, tenant)
      return digest
    })
  }

  async unload(name: string, needed: () => Promise<boolean>): Promise<void> {
    this.#doubt(name)
    await this.#change(name, async () => {
      await this.#loader.unload(name, needed)
      this.#freed.delete(name)
      return undefined
    })
  }

  async free(name: string): Promise<void> {
    this.#doubt(name)
    await this.#change(name, async () => {
      const digest = await this.#loader.free(name)
      this.#freed.set(name, digest)
      return digest
    })
  }

  isFree(name: string): boolean {
    const freed = this.#freed.get(name)
    return freed !== undefined && this.#names?.get(name) === freed
  }

  async #list(): Promise<void> {
    this.#touched.clear()
    const names = new Map(await this.#loader.list())
    for (const name of this.#touched) {
      const known = this.#names?.get(name)
      if (known === undefined) names.delete(name)
      else names.set(name, known)
    }
    this.#names = names
  }

  /** @param work resolves to the digest of what is there then */
  async #change(name: string, work: () => Promise<string | undefined>): Promise<void> {
    this.#touched.add(name)
    try {
      this.#set(name, await work())
    } catch (error) {
      // It may have come half the way.
      this.#set(name, '')
      throw error
    } finally {
      // A listing that began meanwhile has seen either.
      this.#touched.add(name)
    }
  }

  /** What is to go may wait behind others: who wants it meanwhile is not to take it for there. */
  #doubt(name: string): void {
    if (this.#names?.has(name)) this.#set(name, '')
  }

  #set(name: string, digest: string | undefined): void {
    if (digest === undefined) this.#names?.delete(name)
    else this.#names?.set(name, digest)
  }
}
