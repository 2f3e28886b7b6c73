import { sinceBoot } from '../base/clock.ts'
import type { BpfAddon } from './bpf/addon.ts'
import { BpfContainers } from './bpf/containers.ts'
import { packRate, type RecordsRate, word } from './bpf/layout.ts'
import { numberingOf } from './bpf/numbering.ts'
import type { ProfileEncoder } from './bpf/profile-encoder.ts'
import { BpfProfiles } from './bpf/profiles.ts'
import type { Claims } from './bpf/shares.ts'
import { BpfState, DamagedState, type StateOptions } from './bpf/state.ts'
import { EnforcerError, errnoOf } from './enforcer-error.ts'
import { checkName, contentDigest, type ProfileLoader } from './ports.ts'

export interface BpfOptions extends Omit<StateOptions, 'containers' | 'profiles'> {
  addon: BpfAddon
  encoder: ProfileEncoder
  /** Maximum rate of records. Beyond it, the programs only count records. Default: no limit. */
  recordsRate?: RecordsRate
  /**
   * Returns the profiles that policies want. They limit each namespace to its share. Default: each namespace may use
   * everything.
   */
  claims?: () => Claims
  /** Called when damaged programs were replaced by new programs. Containers then have other numbers. */
  onReopened?: () => void
  /**
   * Called when another process has changed the maps of the attached programs. The enforcer then loads new programs.
   * The old programs stay attached until the new programs have all profiles.
   */
  onDamaged?: (error: EnforcerError) => void
  /**
   * Called when a container that started before its profile was loaded can be bound: the profile is loaded now, or no
   * longer expected.
   */
  onArrived?: () => void
  /** Returns seconds since the boot, including suspended time. Tests replace it. */
  uptime?: () => number
  /** Continues a stopped process. Tests replace it. */
  goOn?: (pid: number) => void
}

/** A container and the profile that it must run in. */
export interface BpfContainer {
  id: string
  /** Name of the profile; empty if the container needs none. */
  profile: string
  /** Inode number of the mount namespace of the first process, when that process runs. */
  mntNsID?: number
  /** Addresses of its pod, once they are known. */
  addresses?: readonly string[]
}

/**
 * Numbers of records: written to the ring; lost because the ring was full; lost because no scratch memory was free;
 * held back because of the rate.
 */
export interface BpfCounters {
  reported: number
  ringFull: number
  noScratch: number
  heldBack: number
}

/** Programs and maps of one build, with their contents. */
interface Opened {
  state: BpfState
  profiles: BpfProfiles
  containers: BpfContainers
}

/** Other programs that are still attached: of other builds, or damaged. */
interface Others {
  folders: readonly string[]
  /**
   * Wanted profiles that the current programs do not have, but the other programs may have; undefined until the wanted
   * profiles are known.
   */
  names: Set<string> | undefined
  /** Profiles that could not be loaded into the current programs; the other programs keep enforcing them. */
  refused: Set<string>
  /** Whether the current programs have bound all containers. */
  containers: boolean
}

/**
 * The BPF enforcer of a node. Enforcement continues when this process ends, and the next agent uses the same programs.
 * Programs of another build, and damaged programs, stay attached until the current programs have all profiles. Until
 * then only the old programs enforce the profiles that they have.
 */
export class BpfEnforcer implements ProfileLoader {
  readonly enforcer = 'BPF'
  readonly #options: BpfOptions
  #now: Opened
  #others: Others
  /** The last call. The next call waits for it. */
  #last: Promise<unknown> = Promise.resolve()
  /** Known containers, which are added again when programs are loaded again. */
  readonly #known = new Map<string, BpfContainer>()
  /** Known containers whose profile was not loaded when they arrived. */
  readonly #early = new Set<string>()
  /** Number of tasks that ran without their profile, by container, until `find` reports them. */
  readonly #late = new Map<string, number>()
  /** Containers that were ever in `#late` and have not ended. */
  readonly #saidLate = new Set<string>()
  /** Resolvers of `loaded`, called at the end of each call. */
  readonly #waiters: (() => void)[] = []
  #ends = false

  private constructor(options: BpfOptions, now: Opened) {
    this.#options = options
    this.#now = now
    this.#others = othersOf(now)
  }

  /** @throws {EnforcerError} why the kernel cannot enforce by BPF */
  static async open(options: BpfOptions): Promise<BpfEnforcer> {
    try {
      return new BpfEnforcer(options, await openOnce(options, false))
    } catch (error) {
      if (!(error instanceof DamagedState)) throw error
      options.onDamaged?.(error)
      return new BpfEnforcer(options, await openOnce(options, true))
    }
  }

  /** Folder with the pinned maps, including the ring of records. */
  get folder(): string {
    return this.#now.state.folder
  }

  /** Folders of the other attached programs, which have their own rings. */
  get beside(): readonly string[] {
    return this.#others.folders
  }

  /** The folder, if all its programs are attached; otherwise undefined. */
  get inForce(): string | undefined {
    const { state } = this.#now
    return state.damaged ? undefined : state.folder
  }

  /** Counters of the programs since they were loaded. */
  counters(): BpfCounters {
    const sum = (which: number): number => {
      const values = this.#now.state.getAll('varmor_counts', word(which), 8) ?? new Uint8Array()
      const view = new DataView(values.buffer, values.byteOffset, values.length)
      let all = 0
      for (let at = 0; at < values.length; at += 8) all += Number(view.getBigUint64(at, true))
      return all
    }
    return { reported: sum(0), ringFull: sum(1), noScratch: sum(2), heldBack: sum(3) }
  }

  /** Hooks that the kernel lacks. */
  get absent(): readonly string[] {
    return this.#now.state.absent
  }

  async load(name: string, content: string): Promise<void> {
    checkName('load the BPF profile', name)
    return this.#inTurn(async () => {
      if (this.#now.state.damaged) await this.#reopen()
      try {
        await this.#now.profiles.load(name, content)
        this.#others.names?.delete(name)
        this.#others.refused.delete(name)
      } catch (error) {
        this.#others.refused.add(name)
        throw error
      } finally {
        await this.#proceed()
      }
    })
  }

  async unload(name: string): Promise<void> {
    checkName('unload the BPF profile', name)
    return this.#inTurn(async () => {
      this.#others.names?.delete(name)
      await this.#now.profiles.unload(name)
      await this.#proceed()
    })
  }

  async free(name: string): Promise<string> {
    const { allowing } = this.#options.encoder
    await this.load(name, allowing)
    return contentDigest(allowing)
  }

  list(): Promise<Map<string, string>> {
    return this.#inTurn(() => {
      const { state, profiles } = this.#now
      if (!state.damaged) return profiles.digests()
      return Promise.resolve(new Map(Array.from(profiles.names, (name) => [name, ''])))
    })
  }

  /** The id of the profile in events; undefined if it is not loaded. */
  idOf(name: string): number | undefined {
    return this.#now.profiles.idOf(name)
  }

  /** The number of the container in events; undefined if it is not known. */
  numberOf(id: string): number | undefined {
    return this.#now.containers.numberOf(id) || undefined
  }

  /** Seconds since the boot at which the container got its number; undefined if an earlier agent assigned it. */
  numberedAt(id: string): number | undefined {
    return this.#now.containers.numberedAt(id)
  }

  /**
   * Adds a container. Its new processes then run in its profile, even if the profile is loaded later. With strict
   * start, the container is added only when the profile is loaded or no longer expected. Does not wait for loads,
   * because the runtime may delay all starts until this resolves.
   * @throws {EnforcerError}
   */
  async add(container: BpfContainer): Promise<void> {
    await this.#add(container)
  }

  /**
   * Adds a running container. If it was unknown, it has run without its profile until now, and the next `find` reports
   * this. The programs that it starts from now on run in its profile, perhaps before `find` finds its tasks.
   */
  async start(container: BpfContainer): Promise<void> {
    const { id, profile } = container
    const isNew = !this.#known.has(id) && this.#isUnknown(id) && !this.#now.containers.isWaiting(id)
    await this.#add(container)
    if (!isNew || profile === '' || this.#options.strictStart === 1) return
    // The container may have ended while this call waited. Note now that it ran without its profile, because `find` may
    // find no task.
    if (this.#known.has(id) && !this.#early.has(id) && !this.#saidLate.has(id)) this.#noteTasks(id, 0)
  }

  /**
   * Removes a container that has ended. If a container with the same id is added while this call waits, the new
   * container stays.
   */
  async remove(id: string): Promise<void> {
    this.#end(id)
    return this.#inTurn(() => this.#forget(id))
  }

  /**
   * Binds running tasks of known containers.
   * @returns number of tasks that ran without a profile until now, by container id, except containers that programs of
   * another build confine
   */
  find(): Promise<Map<string, number>> {
    return this.#inTurn(async () => {
      await this.#admit()
      const bound = new Map<number, number>()
      // Note the tasks even after an error, because a bound task is not found again.
      await this.#now.containers.find(bound).finally(() => this.#noteLate(bound))
      const late = new Map(this.#late)
      this.#late.clear()
      return late
    })
  }

  /** Sets the list of all containers of the node. Forgets all other containers, and binds running tasks like `find`. */
  async settle(containers: readonly BpfContainer[]): Promise<Map<string, number>> {
    const all = new Set(containers.map(({ id }) => id))
    // Containers that are added while this waits are newer than the list.
    const gone = [...new Set([...this.#now.containers.ids, ...this.#known.keys()])].filter((id) => !all.has(id))
    for (const id of gone) this.#end(id)
    await this.#inTurn(async () => {
      for (const id of gone) await this.#forget(id)
      for (const container of containers) await this.#add(container)
      this.#now.containers.settled()
      await this.#beStrict()
    })
    const bound = await this.find()
    await this.#inTurn(() => {
      this.#others.containers = true
      return this.#dropOthers()
    })
    return bound
  }

  /** Sets the wanted profiles. Containers no longer wait for other profiles. */
  expect(names: ReadonlySet<string>): Promise<void> {
    const loaded = new Set(this.#now.profiles.names)
    // Set this at once, because a container may start while this call waits.
    this.#others.names = new Set([...names].filter((name) => !loaded.has(name)))
    return this.#inTurn(async () => {
      this.#now.profiles.claimed()
      await this.#proceed()
    })
  }

  /**
   * Marks a profile that cannot be loaded. Programs of another build keep their version, and containers no longer wait
   * for it.
   */
  refuse(name: string): Promise<void> {
    return this.#inTurn(() => {
      this.#others.refused.add(name)
      return this.#proceed()
    })
  }

  /**
   * Resolves when the profile is loaded, when it is not wanted or was refused, or when the container has ended.
   * @returns whether the container had to wait
   */
  async loaded(name: string, id: string): Promise<boolean> {
    const waits = this.#isComing(name)
    while (this.#isComing(name) && this.#known.has(id))
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    return waits
  }

  /**
   * Prepares for the end of this process. Turns off strict start: the next agent starts in an unknown container, and no
   * process could continue it. Also continues processes that wait for their profile, because an agent of another build
   * would not find them.
   */
  relax(): Promise<void> {
    this.#ends = true
    return this.#inTurn(async () => {
      const { state, containers } = this.#now
      await relax(state)
      try {
        await this.#admit()
      } finally {
        await containers.find()
      }
    })
  }

  /**
   * Removes all pins. The kernel then detaches the programs, within milliseconds (Linux 6.1: seconds), and BPF
   * enforcement ends.
   */
  end(): Promise<void> {
    return this.#inTurn(async () => {
      const { state } = this.#now
      for (const folder of [...this.#others.folders, state.folder]) await state.drop(folder, false)
      state.removeRoot()
    })
  }

  async #add({ id, profile, mntNsID, addresses }: BpfContainer): Promise<void> {
    const { containers, profiles } = this.#now
    const before = this.#known.get(id)
    const own = addresses ?? before?.addresses
    const more = { ...(mntNsID !== undefined && { mntNsID }), ...(own !== undefined && { addresses: own }) }
    this.#known.set(id, { id, profile, ...more })
    if (before?.profile !== profile) this.#early.delete(id)
    if (before?.profile !== profile && profile !== '' && !this.#isLoaded(profile) && !containers.isWaiting(id))
      this.#early.add(id)
    // With strict start, the container's programs are stopped until its profile arrives, so the container stays
    // unknown.
    if (this.#options.strictStart === 1 && this.#early.has(id) && this.#isUnknown(id) && this.#isComing(profile)) return
    await containers.add(id, profile, profiles.slotOf(profile))
    if (mntNsID !== undefined) containers.noteMountNamespace(id, mntNsID)
    if (own !== undefined) await containers.setAddresses(id, own)
  }

  #isUnknown(id: string): boolean {
    return this.#now.containers.numberOf(id) === undefined
  }

  /** Whether this process is expected to load the profile. */
  #isComing(profile: string): boolean {
    const { names, refused } = this.#others
    if (this.#ends || profile === '' || refused.has(profile) || this.#isLoaded(profile)) return false
    return names === undefined || names.has(profile)
  }

  #isLoaded(profile: string): boolean {
    return this.#now.profiles.slotOf(profile) !== undefined
  }

  /**
   * Containers that arrived before their profile and can be bound to it now.
   * @param isUnknown true: only containers that the programs do not know; false: only containers that they know
   */
  #arrived(isUnknown: boolean): BpfContainer[] {
    const early = [...this.#early].flatMap((id) => this.#known.get(id) ?? [])
    return early.filter(
      ({ id, profile }) =>
        this.#isUnknown(id) === isUnknown && (isUnknown ? !this.#isComing(profile) : this.#isLoaded(profile)),
    )
  }

  /** Releases the containers whose profile is loaded now or no longer expected. */
  async #proceed(): Promise<void> {
    const { containers } = this.#now
    const free = this.#arrived(false)
    if (free.length > 0) {
      const tasks = await containers.scan(new Set(free.map(({ id }) => containers.numberOf(id) ?? 0)))
      for (const { id } of free) this.#early.delete(id)
      this.#noteLate(tasks)
    }
    if (free.length + this.#arrived(true).length > 0) this.#options.onArrived?.()
    await this.#dropOthers()
  }

  /** Adds the containers that waited for their profile to the maps; `find` then binds their tasks. */
  async #admit(): Promise<void> {
    for (const container of this.#arrived(true)) {
      const { id, profile } = container
      this.#early.delete(id)
      await this.#add(container)
      if (!this.#isLoaded(profile)) this.#early.add(id)
    }
    for (const { id } of this.#arrived(false)) this.#early.delete(id)
  }

  /** @param tasks numbers of tasks that ran without a profile until now, by container number */
  #noteLate(tasks: ReadonlyMap<number, number>): void {
    const { containers } = this.#now
    for (const id of containers.ids) {
      const more = tasks.get(containers.numberOf(id) ?? 0)
      if (more === undefined || containers.isWaiting(id) || this.#early.has(id)) continue
      this.#noteTasks(id, more)
    }
  }

  #noteTasks(id: string, more: number): void {
    this.#late.set(id, (this.#late.get(id) ?? 0) + more)
    this.#saidLate.add(id)
  }

  #end(id: string): void {
    this.#known.delete(id)
    this.#early.delete(id)
    this.#saidLate.delete(id)
    this.#now.containers.end(id)
  }

  async #forget(id: string): Promise<void> {
    if (!this.#known.has(id)) await this.#now.containers.remove(id)
  }

  /**
   * Turns on strict start. Called only when all containers are known, because this process runs in a container and
   * starts programs.
   */
  async #beStrict(): Promise<void> {
    if (this.#options.strictStart === 1 && !this.#ends) await this.#now.state.beStrict(true)
  }

  async #reopen(): Promise<void> {
    const names = new Set(this.#now.profiles.names)
    this.#now = await openOnce(this.#options, true)
    this.#others = { ...othersOf(this.#now), names }
    // Damaged programs may have lost their profiles, so the new programs enforce at once.
    this.#now.containers.takeOver((profile) => this.#now.profiles.slotOf(profile))
    for (const container of this.#known.values()) await this.#add(container)
    this.#now.containers.settled()
    await this.#beStrict()
    await this.#now.containers.find()
    this.#others.containers = true
    this.#options.onReopened?.()
  }

  /**
   * Removes the other programs when the current programs enforce all profiles of the others. If a profile cannot be
   * loaded, the other programs stay attached for it, but the current programs take over all other containers.
   */
  async #dropOthers(): Promise<void> {
    const { folders, names, refused, containers } = this.#others
    if (folders.length === 0 || names === undefined || !containers) return
    if ([...names].some((name) => !refused.has(name))) return
    const { profiles, containers: bound, state } = this.#now
    bound.takeOver((profile) => profiles.slotOf(profile))
    if (names.size > 0) return
    // The other programs have their own ring, which is read until they are removed.
    for (const folder of folders) await state.drop(folder, true)
    this.#others = { ...this.#others, folders: [] }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work)
    this.#last = result
      .catch(() => undefined)
      .finally(() => {
        for (const wake of this.#waiters.splice(0)) wake()
      })
    return result
  }
}

async function openOnce(options: BpfOptions, fresh: boolean): Promise<Opened> {
  const { encoder, recordsRate } = options
  const { containers: numbers, slots } = encoder
  const state = await BpfState.open({ ...options, containers: numbers, profiles: slots }, fresh)
  await state.write([{ map: 'varmor_rate', key: word(0), value: packRate(recordsRate) }], 'set the rate of records')
  await relax(state)
  const before = numberingOf(options.addon, state.others, slots)
  const containers = new BpfContainers(
    state,
    encoder,
    options.goOn ?? goOn,
    before,
    options.uptime ?? (() => sinceBoot() / 1_000),
  )
  const profiles = new BpfProfiles(state, encoder, containers, before, options.claims)
  await containers.recover()
  await profiles.recover()
  return { state, profiles, containers }
}

/**
 * Turns off strict start in other builds' programs. They do not learn about new containers, so they would stop each new
 * container for ever.
 */
async function relax(state: BpfState): Promise<void> {
  for (const folder of state.others)
    await state.beStrict(false, folder).catch((error: unknown) => {
      // Ignore an error: another process has damaged that state.
      if (!(error instanceof EnforcerError)) throw error
    })
  await state.beStrict(false)
}

function goOn(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}

const othersOf = ({ state }: Opened): Others => ({
  folders: state.others,
  names: undefined,
  refused: new Set(),
  containers: false,
})
