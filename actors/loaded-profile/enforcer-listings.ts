import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import type { Loader, WantedContent } from './ports.ts'

/**
 * Digests by profile name. An empty digest means that a profile of this name exists, but its content is not known for
 * certain.
 */
export type Listing = ReadonlyMap<string, string>

/**
 * The profiles that the enforcers of a node have loaded. All actors share the listings, and their loads and unloads
 * update them. Only `refresh` finds changes by other programs.
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

  /** @throws {LoadFailure} as a rejection, if the enforcer has not been listed yet */
  listing(enforcer: KernelEnforcer): Promise<Listing> {
    return this.#of(enforcer).listing()
  }

  /** @param tenant see `Loader` */
  load(enforcer: KernelEnforcer, name: string, wanted: Required<WantedContent>, tenant: string): Promise<void> {
    return this.#of(enforcer).load(name, wanted, tenant)
  }

  /** @param needed see `Loader` */
  unload(enforcer: KernelEnforcer, name: string, needed: () => Promise<boolean>): Promise<void> {
    return this.#of(enforcer).unload(name, needed)
  }

  /** Replaces the profile by a profile that allows all. */
  free(enforcer: KernelEnforcer, name: string): Promise<void> {
    return this.#of(enforcer).free(name)
  }

  /** Whether this process replaced the profile by a profile that allows all. */
  isFree(enforcer: KernelEnforcer, name: string): boolean {
    return this.#of(enforcer).isFree(name)
  }

  /**
   * Lists the profiles of all enforcers again.
   * @returns the failures; an enforcer whose listing failed keeps its old listing
   */
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
  /** Digests of the allow-all profiles that replaced other profiles. */
  readonly #freed = new Map<string, string>()
  #listing: Promise<void> | undefined
  /** The listing that starts after the current listing. */
  #next: Promise<void> | undefined
  /** Names of profiles that changed since the current listing started: its entries for them may be outdated. */
  #touched = new Set<string>()

  constructor(loader: Loader) {
    this.#loader = loader
  }

  async listing(): Promise<Listing> {
    while (this.#names === undefined) await (this.#listing ?? this.#begin())
    return this.#names
  }

  /** The current listing may miss changes before this call, so start another listing after it. */
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

  /** @param work loads or unloads the profile, and resolves to the digest of the profile afterwards */
  async #change(name: string, work: () => Promise<string | undefined>): Promise<void> {
    this.#touched.add(name)
    try {
      this.#set(name, await work())
    } catch (error) {
      // The work may have failed halfway.
      this.#set(name, '')
      throw error
    } finally {
      // A listing that started during the work may show the state before or after it.
      this.#touched.add(name)
    }
  }

  /** An unload may wait in a queue. During the wait, callers must not rely on the profile. */
  #doubt(name: string): void {
    if (this.#names?.has(name)) this.#set(name, '')
  }

  #set(name: string, digest: string | undefined): void {
    if (digest === undefined) this.#names?.delete(name)
    else this.#names?.set(name, digest)
  }
}
