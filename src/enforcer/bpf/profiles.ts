import { EnforcerError } from '../enforcer-error.ts'
import { contentDigest, isOwnName } from '../ports.ts'
import type { MapWrite } from './addon.ts'
import type { BpfContainers } from './containers.ts'
import { type ProfileRecord, packRecord, profileRecord, unpackRecord, word } from './layout.ts'
import type { Numbering } from './numbering.ts'
import type { EgressSlot, ProfileEncoder, Quota, ReadProfile, Where } from './profile-encoder.ts'
import { type Claims, exceeded, type Holding, type Shares, sharesOf, sumOf, waitingBefore } from './shares.ts'
import { type BpfState, DamagedState } from './state.ts'
import { BpfTables, mapOfTable } from './tables.ts'

interface Loaded extends ProfileRecord {
  slot: number
  /** Namespace of its policy, which may have been deleted; empty: a cluster policy; undefined: unknown. */
  namespace?: string
  /**
   * The number under which the profile's addresses are, and the digest of the content without addresses; undefined if
   * another agent loaded the profile.
   */
  half?: EgressSlot
  rest?: string
}

/** A slot to empty, and the tables to which it still refers. */
interface Left {
  slot: number
  tables: readonly number[]
}

const step = 'load the BPF profile'

/** Maximum serial of a load; a higher serial would not fit its field. Agents do not make so many loads. */
const maxSerial = 2 ** 31

/**
 * Stored in a record instead of its map's kernel id while the addresses are replaced. The record then has no digest.
 */
const CHANGING = 0xffff_ffff

/** The profiles of one state. The caller makes one call at a time. */
export class BpfProfiles {
  readonly #state: BpfState
  readonly #encoder: ProfileEncoder
  readonly #containers: BpfContainers
  readonly #byName = new Map<string, Loaded>()
  readonly #free: number[] = []
  /** Unused slots that must be emptied. */
  readonly #left: Left[] = []
  readonly #tables: BpfTables
  readonly #before: ReadonlyMap<string, number>
  /** Number of entries in each map of addresses and ports, by slot. */
  readonly #entries = new Map<number, readonly number[]>()
  readonly #claims: (() => Claims) | undefined
  readonly #places: Shares
  #serial = 0
  #id: number
  /** Whether all policies are known, so that a profile without namespace belongs to a deleted policy. */
  #allClaimed = false

  /**
   * @param before numbers that programs of other builds assigned
   * @param claims the profiles that policies want; undefined: each namespace may use everything
   */
  constructor(
    state: BpfState,
    encoder: ProfileEncoder,
    containers: BpfContainers,
    before: Pick<Numbering, 'profiles' | 'last'>,
    claims?: () => Claims,
  ) {
    this.#state = state
    this.#encoder = encoder
    this.#containers = containers
    this.#before = before.profiles
    this.#claims = claims
    this.#places = sharesOf(encoder.slots - 2)
    this.#id = Math.max(before.last.profile, state.lastNumber('profile'), ...before.profiles.values())
    this.#tables = new BpfTables(encoder)
  }

  /** Reads the loaded profiles, and removes the remains of an interrupted load. @throws {EnforcerError} */
  async recover(): Promise<void> {
    const unfinished: number[] = []
    const maps = await this.#state.profileMaps()
    for (const [slot, held] of this.#encoder.held((map, size) => this.#state.entries(map, size)))
      this.#entries.set(slot, held)
    for (let slot = 1; slot < this.#encoder.slots; slot++) {
      const record = this.#recordOf(slot)
      const map = maps.get(slot)
      if (record !== undefined) this.#tables.hold(record.tables)
      if (record !== undefined && (record.map === map || (record.map === CHANGING && map !== undefined))) {
        const { name, serial, id } = record
        const older = this.#byName.get(name)
        const isNewer = older === undefined || older.serial < serial
        if (older !== undefined) unfinished.push(isNewer ? older.slot : slot)
        if (isNewer) this.#byName.set(name, { ...record, slot })
        this.#serial = Math.max(this.#serial, serial)
        this.#id = Math.max(this.#id, id)
      } else if (record !== undefined || map !== undefined) unfinished.push(slot)
      else this.#free.push(slot)
    }
    for (const slot of unfinished) {
      const record = this.#recordOf(slot)
      // Complete an interrupted load: move the remaining containers to the slot of the newest version.
      if (record !== undefined) this.#containers.move(slot, this.slotOf(record.name) ?? 0)
      await this.#clear({ slot, tables: record?.tables ?? [] })
    }
  }

  slotOf(name: string): number | undefined {
    return this.#byName.get(name)?.slot
  }

  /** The id of the profile in events. */
  idOf(name: string): number | undefined {
    return this.#byName.get(name)?.id
  }

  get names(): Iterable<string> {
    return this.#byName.keys()
  }

  /** Called when all claims are known. */
  claimed(): void {
    const claims = this.#claims?.()
    if (claims !== undefined) for (const name of this.#byName.keys()) this.#namespaceOf(name, claims)
    this.#allClaimed = true
  }

  /** Digests of the profiles in force, by name; empty for a profile that another process has changed. */
  async digests(): Promise<Map<string, string>> {
    const maps = await this.#state.profileMaps()
    return new Map(Array.from(this.#byName, ([name, loaded]) => [name, digestWith(maps.get(loaded.slot), loaded)]))
  }

  /** @throws {EnforcerError} the previous version stays in force */
  async load(name: string, content: string): Promise<void> {
    const digest = contentDigest(content)
    const before = this.#byName.get(name)
    const inForce = before === undefined ? '' : digestWith(await this.#mapIn(before.slot), before)
    if (inForce === digest) return
    await this.#clearLeft()
    const claims = this.#claims?.()
    if (before === undefined) this.#checkPlace(name, claims)
    const read = this.#encoder.read(content)
    const rest = contentDigest(read.rest)
    if (before?.rest === rest && before.half !== undefined && inForce !== '') {
      this.#checkRooms({ name, tables: before.tables }, read.entries, claims)
      return this.#replaceEgress({ ...before, half: before.half }, read, digest)
    }
    const [slot] = this.#free
    if (slot === undefined) throw noPlace(name, 'all', this.#places)
    const id = before?.id ?? this.#idBefore(name) ?? this.#nextId()
    const tables: number[] = []
    let writes: readonly MapWrite[]
    try {
      writes = read.writes({ slot, id, half: 0, placeTable: this.#tables.placing(tables) })
      this.#checkRooms({ name, tables }, read.entries, claims)
    } catch (error) {
      this.#tables.forget(tables)
      throw error
    }
    this.#free.shift()
    this.#entries.set(slot, read.entries)
    try {
      const incomplete = { id, map: 0, serial: this.#serial + 1, digest: '', name, tables }
      // If this agent ends now, the next agent finds in this record what it must remove.
      await this.#record(slot, incomplete, step)
      await this.#state.write(writes, step)
      const record = { ...incomplete, map: await this.#mapIn(slot), digest }
      await this.#record(slot, record, step)
      const namespace = claims?.get(name)?.namespace ?? before?.namespace
      this.#byName.set(name, { ...record, slot, half: 0, rest, ...(namespace !== undefined && { namespace }) })
    } catch (error) {
      this.#left.push({ slot, tables })
      await this.#clearLeft().catch(throwBugs)
      throw error
    }
    this.#serial++
    this.#containers.point(name, slot)
    if (before === undefined) return
    this.#containers.move(before.slot, slot)
    this.#left.push(before)
    // The profile is in force, so an error does not matter now. The next load repeats this step first, and reports its
    // error.
    await this.#clearLeft().catch(throwBugs)
  }

  /** Checks that a new profile may use a slot. @throws {EnforcerError} if not; a later call may succeed */
  #checkPlace(name: string, claims: Claims | undefined): void {
    // One slot stays free for replacing profiles.
    if (this.#free.length < 2) throw noPlace(name, 'all', this.#places)
    if (claims === undefined) return
    const loaded = new Map(Array.from(this.#byName.keys(), (one) => [one, this.#namespaceOf(one, claims)]))
    // There are too few profiles for a namespace to exceed its share.
    if (loaded.size + claims.size <= this.#places.one) return
    const held = Array.from(loaded.values(), (namespace): Holding => ({ namespace, amount: 1 }))
    const namespace = claims.get(name)?.namespace
    const others = [...held, ...waitingBefore(name, claims, loaded, this.#places)]
    const share = exceeded(this.#places, { namespace, amount: 1 }, others, { anyones: !this.#allClaimed })
    if (share !== undefined) throw noPlace(name, share, this.#places, namespace)
  }

  /**
   * Checks the shared limits.
   * @throws {EnforcerError} if the profile needs more than before and exceeds a share; a later call may succeed
   */
  #checkRooms(wanted: Pick<Loaded, 'name' | 'tables'>, entries: readonly number[], claims: Claims | undefined): void {
    const before = this.#byName.get(wanted.name)
    const beside = [...this.#byName.values()].filter((one) => one !== before)
    for (const room of this.#encoder.rooms) {
      const { all, ofProfile, ofTable } = room
      const held = ({ name, tables }: typeof wanted, entries: readonly number[]): Holding => ({
        namespace: claims === undefined ? '' : this.#namespaceOf(name, claims),
        amount: ofProfile(entries),
        ...(ofTable !== undefined && { shared: tables }),
      })
      const holdingOf = (one: Loaded): Holding => held(one, this.#entries.get(one.slot) ?? [])
      const more = held(wanted, entries)
      if (more.amount === 0) continue
      const ofShared = (table: number): number => ofTable?.(mapOfTable(table)) ?? 0
      const share = exceeded(sharesOf(all), more, beside.map(holdingOf), {
        ...{ anyones: !this.#allClaimed, ofShared },
        ...(before !== undefined && { before: holdingOf(before) }),
      })
      if (share !== undefined) throw noRoom(wanted.name, room, { ...more, amount: sumOf([more], ofShared) }, share)
    }
  }

  /** The namespace of a profile, which stays known after the claim is removed. */
  #namespaceOf(name: string, claims: Claims): string | undefined {
    const loaded = this.#byName.get(name)
    const namespace = claims.get(name)?.namespace
    if (loaded !== undefined && namespace !== undefined) loaded.namespace = namespace
    return namespace ?? loaded?.namespace
  }

  /**
   * Replaces the addresses in the same slot. The last write switches from the old to the new addresses. If the agent
   * ends before the record is complete, one of the two versions is in force, and the record without digest makes the
   * next agent load the profile again.
   */
  async #replaceEgress(before: Loaded & { half: EgressSlot }, read: ReadProfile, digest: string): Promise<void> {
    const { slot, id, name } = before
    const half = before.half === 0 ? 1 : 0
    const step = 'write the addresses of the BPF profile'
    // The tables do not change, so the profile keeps its references.
    const tables: number[] = []
    const writes = read.egress({ slot, id, half, placeTable: this.#tables.placing(tables) })
    this.#tables.release(tables)
    await this.#record(slot, { ...before, map: CHANGING, digest: '' }, step)
    const entries = this.#entries.get(slot) ?? []
    this.#entries.set(
      slot,
      read.entries.map((more, i) => more + (entries[i] ?? 0)),
    )
    try {
      await this.#state.write(writes, step)
    } catch (error) {
      // The new addresses are not in force, because the last write was not done.
      await this.#removeAll(this.#encoder.egressRemoval(slot, half), step)
      this.#entries.set(slot, entries)
      await this.#record(slot, before, step)
      throw error
    }
    const now: Loaded = { ...before, tables, half, map: await this.#mapIn(slot), digest }
    this.#byName.set(name, now)
    await this.#record(slot, now, step)
    await this.#removeAll(this.#encoder.egressRemoval(slot, before.half), step)
    this.#entries.set(slot, read.entries)
  }

  #record(slot: number, { id, map, serial, digest, name, tables }: ProfileRecord, step: string): Promise<void> {
    const value = packRecord({ id, map, serial, digest, name, tables })
    return this.#state.write([{ map: 'varmor_records', key: word(slot), value }], step)
  }

  async #removeAll(where: readonly Where[], step: string): Promise<void> {
    for (const { map, ...which } of where) await this.#state.removeWhere(map, which, step)
  }

  async unload(name: string): Promise<void> {
    const loaded = this.#byName.get(name)
    if (loaded !== undefined) {
      this.#byName.delete(name)
      this.#containers.move(loaded.slot, 0)
      this.#left.push(loaded)
    }
    await this.#clearLeft()
  }

  async #clearLeft(): Promise<void> {
    for (let left = this.#left[0]; left !== undefined; left = this.#left[0]) {
      await this.#clear(left)
      this.#left.shift()
    }
  }

  /**
   * Empties a slot that no container uses. The kernel waits until no program uses the profile; only then are its tables
   * removed.
   */
  async #clear(left: Left): Promise<void> {
    const { slot } = left
    const { writes, where } = this.#encoder.removal(slot)
    const step = 'remove the BPF profile'
    await this.#state.write(writes, step)
    await this.#removeAll(where, step)
    this.#entries.delete(slot)
    this.#tables.release(left.tables)
    left.tables = []
    await this.#tables.removeUnheld(this.#state, step)
    await this.#record(slot, { id: 0, map: 0, serial: 0, digest: '', name: '', tables: [] }, step)
    this.#free.push(slot)
  }

  /** An id that no profile has had since the boot, because unread records may name a removed profile. */
  #nextId(): number {
    // Another build may have stored any number. After the highest id, continue with 1.
    do this.#id = (this.#id % 0xffff_ffff) + 1
    while ([...this.#byName.values()].some(({ id }) => id === this.#id))
    this.#state.noteNumber('profile', undefined, this.#id)
    return this.#id
  }

  #idBefore(name: string): number | undefined {
    const id = this.#before.get(name)
    for (const other of this.#byName.values()) if (other.id === id) return undefined
    return id
  }

  #recordOf(slot: number): ProfileRecord | undefined {
    const bytes = this.#state.get('varmor_records', word(slot), profileRecord.size)
    const record = bytes && unpackRecord(bytes)
    if (record === undefined) return undefined
    const { name, serial, tables } = record
    if (!isOwnName(name) || serial > maxSerial || !tables.every((reference) => this.#tables.has(reference)))
      throw new DamagedState('varmor_records', `slot ${slot} has no record of a profile`)
    return record
  }

  /** The kernel id of the map in the slot; 0 if there is none. */
  async #mapIn(slot: number): Promise<number> {
    return (await this.#state.profileMaps()).get(slot) ?? 0
  }
}

/** The digest of the loaded profile; empty if its slot holds another map. */
const digestWith = (mapIn: number | undefined, { map, digest }: Loaded): string => (mapIn === map ? digest : '')

const ofNamespace = (name = ''): string => (name === '' ? 'an unknown namespace' : `namespace ${name}`)

function noPlace(profile: string, share: keyof Shares, shares: Shares, namespace?: string): EnforcerError {
  const { all, namespaces, one } = shares
  const remedy = 'remove BPF policies, or raise --bpf-profiles of the agent'
  const reasons: Record<keyof Shares, string> = {
    all: `all ${all} places for profiles are in use; raise --bpf-profiles of the agent`,
    namespaces: `namespaced policies use all ${namespaces} of the ${all} places for profiles that they may use; ${remedy}`,
    one: `older policies of ${ofNamespace(namespace)} use all ${one} of the ${all} places for profiles that one namespace may use; ${remedy}`,
  }
  return new EnforcerError('KERNEL_REFUSED', step, { profile, reason: reasons[share] })
}

function noRoom(
  profile: string,
  { what, all, remedy }: Quota,
  { namespace, amount }: Holding,
  share: keyof Shares,
): EnforcerError {
  const whose: Record<keyof Shares, string> = {
    all: 'all policies',
    namespaces: 'the policies of all namespaces',
    one: `the policies of ${ofNamespace(namespace)}`,
  }
  const room = `${whose[share]} may have ${sharesOf(all)[share]} ${what} on this node`
  const reason = `${room}; with the ${amount} of this profile, they would exceed that; ${remedy}`
  return new EnforcerError('KERNEL_REFUSED', step, { profile, reason })
}

function throwBugs(error: unknown): void {
  if (!(error instanceof EnforcerError)) throw error
}
