import { numberIn } from '../../base/c-struct.ts'
import { EnforcerError } from '../enforcer-error.ts'
import { container, containerId, found, word, wordIn } from './layout.ts'
import type { Numbering } from './numbering.ts'
import { OwnAddresses } from './own-addresses.ts'
import type { ProfileEncoder } from './profile-encoder.ts'
import { type BpfState, DamagedState } from './state.ts'

const hexId = /^[0-9a-f]{64}$/

/** Maximum scans of all tasks. A scan may miss tasks that are forked meanwhile, so another scan follows. */
const maxScans = 8

interface Known {
  number: number
  /** The profile that the container must run in. */
  profile: string
  /** Seconds since the boot at which the container got its number, if this agent assigned it. */
  since?: number
  /** The container has ended, but is not removed yet. */
  hasEnded?: true
}

/** The containers of tasks and the profiles of containers, in the maps of one state. */
export class BpfContainers {
  readonly #state: BpfState
  /** By id. */
  readonly #known = new Map<string, Known>()
  /** Numbers of ended containers. Tasks of these containers may still run. */
  readonly #ended = new Set<number>()
  /** Numbers that programs of another build assigned to containers that are not added here yet. */
  readonly #kept: Map<string, number>
  /** Containers that programs of another build confine. They have no profile here until `takeOver`. */
  readonly #waiting: Set<string>
  /**
   * Numbers that must not be assigned: numbers of containers in both builds, and of tasks that outlived their
   * container.
   */
  readonly #taken = new Set<number>()
  /** An upper bound of the taken numbers. */
  #top = 0
  /** Profiles of tasks that outlived their container under programs of another build, by the container's number. */
  readonly #outlived = new Map<number, string>()
  /** Whether programs of other builds no longer confine containers. */
  #tookOver = false
  readonly #before: Omit<Numbering, 'profiles'>
  readonly #size: number
  readonly #goOn: (pid: number) => void
  readonly #uptime: () => number
  readonly #own: OwnAddresses

  /**
   * @param goOn continues a process that was stopped because its container was unknown @throws {DamagedState}
   * @param before numbers that programs of other builds assigned
   * @param uptime seconds since the boot
   */
  constructor(
    state: BpfState,
    encoder: Pick<ProfileEncoder, 'containers' | 'ownAddresses' | 'ownKeys'>,
    goOn: (pid: number) => void,
    before: Omit<Numbering, 'profiles'>,
    uptime: () => number,
  ) {
    this.#state = state
    this.#goOn = goOn
    this.#before = before
    this.#uptime = uptime
    this.#size = encoder.containers
    this.#own = new OwnAddresses(state, encoder)
    const each = containerId.size + 4
    const entries = state.entries('varmor_ids', each)
    const taken = new Set<number>()
    for (let at = 0; at < entries.length; at += each) {
      const number = wordIn(entries, at + containerId.size)
      const id = Buffer.from(entries.subarray(at, at + containerId.size)).toString('latin1')
      if (!hexId.test(id)) throw new DamagedState('varmor_ids', 'a key is not the id of a container')
      // A program finds no entry for such a number, so the container would not run in its profile.
      if (number >= this.#size)
        throw new DamagedState('varmor_ids', `container ${id} has number ${number}, and there are ${this.#size}`)
      if (number > 0 && taken.has(number))
        throw new DamagedState('varmor_ids', `container ${id} has number ${number}, as another one has`)
      taken.add(number)
      // The agent sets the profile again when it adds its known containers.
      this.#known.set(id, { number, profile: '' })
    }
    const kept = [...before.containers].filter(
      ([id, number]) => number < this.#size && !this.#known.has(id) && !taken.has(number),
    )
    this.#kept = new Map(kept)
    this.#waiting = new Set([...before.containers.keys()].filter((id) => !this.#known.has(id)))
  }

  /** Finds the numbers in use: of containers, and of tasks that outlived their container. */
  async recover(): Promise<void> {
    const living = new Set([...Array.from(this.#known.values(), ({ number }) => number), ...this.#kept.values()])
    await this.#bindAsBefore()
    const used = numbersIn(await this.#state.findTasks())
    const before = this.#state.lastNumber('container')
    const max = [...living, ...used].reduce((one, other) => Math.max(one, other), 0)
    const last = Math.max(before, this.#before.last.container) || max
    this.#top = Math.min(Math.max(last, max), this.#size - 1)
    for (let number = 1; number <= this.#top; number++) {
      this.#taken.add(number)
      if (!living.has(number)) this.#ended.add(number)
    }
    for (const number of used) if (this.#ended.has(number)) this.#outlive(number)
    if (last !== before) this.#state.noteNumber('container', undefined, last)
    await this.#release(used)
  }

  /**
   * Binds the tasks that programs of other builds have bound, including tasks that have left their container's cgroup.
   */
  async #bindAsBefore(): Promise<void> {
    for (const [folder, numbers] of this.#before.builds) {
      if (!this.#agrees(numbers) || !this.#state.follow(folder)) continue
      // A scan may miss a task that is forked meanwhile.
      for (let done = 0; done < maxScans; done++)
        if (boundIn(await this.#state.findTasks(), new Set()).length === 0) break
    }
    this.#state.unfollow()
  }

  /**
   * Whether these numbers belong to the same containers here. Two agents that ran at the same time may have assigned a
   * number twice.
   */
  #agrees(numbers: ReadonlyMap<string, number>): boolean {
    const known = Array.from(this.#known, ([id, { number }]) => [id, number] as const)
    const own = new Map([...this.#kept, ...known])
    const idOf = new Map(Array.from(own, ([id, number]) => [number, id]))
    return [...numbers].every(
      ([id, number]) => number === 0 || ((own.get(id) ?? number) === number && (idOf.get(number) ?? id) === id),
    )
  }

  get ids(): IterableIterator<string> {
    return this.#known.keys()
  }

  /** The number of the container in records. */
  numberOf(id: string): number | undefined {
    return this.#known.get(id)?.number
  }

  /**
   * Seconds since the boot from which the number belongs to the container; undefined if an earlier agent assigned it.
   */
  numberedAt(id: string): number | undefined {
    return this.#known.get(id)?.since
  }

  /**
   * Adds a container: its new processes are bound to it from now on. @throws {EnforcerError} KERNEL_REFUSED
   * @param profile name of its profile; empty if it needs none, so that it counts as known
   * @param slot slot of the profile, if it is loaded
   */
  async add(id: string, profile: string, slot: number | undefined): Promise<void> {
    const known = this.#known.get(id)
    // A container that had no profile gets its number when it gets a profile.
    if (known !== undefined && !known.hasEnded && (known.number > 0 || profile === '')) {
      known.profile = profile
      if (known.number > 0 && !this.#waiting.has(id)) this.#point(known.number, slot ?? 0)
      return
    }
    if (!hexId.test(id)) {
      const reason = 'the id of the container does not have 64 hexadecimal digits, so its cgroup cannot be found'
      throw new EnforcerError('BAD_NAME', 'bind the container', { container: id.slice(0, 100), reason })
    }
    const isKept = this.#kept.has(id)
    const number = profile === '' ? 0 : this.#take(id)
    if (number > 0) {
      this.#setFirst(number, isKept ? this.#before.of(number)?.facts : undefined)
      this.#point(number, this.#waiting.has(id) ? 0 : (slot ?? 0))
    }
    this.#known.set(id, { number, profile, ...(number > 0 && !isKept && { since: this.#uptime() }) })
    try {
      // An earlier container may have had the number when an agent was killed. Remove that container's addresses.
      if (number > 0) await this.#own.set(number, [])
      await this.#state.write([{ map: 'varmor_ids', key: Buffer.from(id), value: word(number) }], 'bind the container')
    } catch (error) {
      if (known === undefined) this.#known.delete(id)
      else this.#known.set(id, known)
      if (number > 0) this.#ended.add(number)
      throw error
    }
    if (known?.hasEnded && known.number > 0) this.#ended.add(known.number)
  }

  /**
   * Sets the mount namespace of the container's first process, if the programs did not see the start of that process.
   */
  noteMountNamespace(id: string, inode: number): void {
    const number = this.numberOf(id)
    if (number === undefined || number === 0 || inode === 0) return
    this.#state.swap('varmor_containers', number * container.size + container.at.mnt_ns, 0, inode)
  }

  /** Sets the addresses of the container's pod. @throws {EnforcerError} */
  async setAddresses(id: string, addresses: readonly string[]): Promise<void> {
    const number = this.numberOf(id)
    if (number !== undefined && number > 0) await this.#own.set(number, addresses)
  }

  /**
   * Marks the container as ended. If a container with the same id is added before the removal, it is a new container.
   */
  end(id: string): void {
    const waited = this.#waiting.delete(id)
    const known = this.#known.get(id)
    if (known === undefined) return
    known.hasEnded = true
    if (waited && known.number > 0) this.#outlived.set(known.number, known.profile)
  }

  /** Removes an ended container. Tasks of the container that still run stay in its profile. */
  async remove(id: string): Promise<void> {
    const known = this.#known.get(id)
    if (known === undefined) return
    this.#known.delete(id)
    if (known.number > 0) this.#ended.add(known.number)
    await this.#state.write([{ map: 'varmor_ids', key: Buffer.from(id) }], 'forget the container')
  }

  /** Moves all containers with this profile to the slot. */
  point(profile: string, slot: number): void {
    for (const [id, known] of this.#known)
      if (known.profile === profile && known.number > 0 && !this.#waiting.has(id)) this.#point(known.number, slot)
    if (!this.#tookOver) return
    for (const [number, name] of this.#outlived) if (name === profile) this.#point(number, slot)
  }

  /** Whether programs of another build still confine the container. */
  isWaiting(id: string): boolean {
    return this.#waiting.has(id)
  }

  /** Called when all containers are known. All other numbers may be reused then. */
  settled(): void {
    for (const number of this.#kept.values()) {
      if (this.#ended.has(number)) continue
      this.#ended.add(number)
      this.#outlive(number)
    }
  }

  /**
   * Starts to confine the containers that programs of another build confine, just before these programs are removed. If
   * both confined a container at the same time, an access that is reported but not refused would make two records.
   */
  takeOver(slotOf: (profile: string) => number | undefined): void {
    for (const id of this.#waiting) {
      const { number = 0, profile = '' } = this.#known.get(id) ?? {}
      if (number > 0) this.#point(number, slotOf(profile) ?? 0)
    }
    this.#waiting.clear()
    this.#tookOver = true
    for (const [number, profile] of this.#outlived) this.#point(number, slotOf(profile) ?? 0)
  }

  /** From `takeOver` on, keeps tasks of an ended container in their profile. */
  #outlive(number: number): void {
    const { facts, profile } = this.#before.of(number) ?? {}
    if (profile === undefined) return
    this.#setFirst(number, facts)
    this.#outlived.set(number, profile)
  }

  /** Moves all containers in a slot to another slot, including ended containers. */
  move(from: number, to: number): void {
    for (let number = 1; number <= this.#top; number++)
      this.#state.swap('varmor_containers', number * container.size + container.at.profile, from, to)
  }

  /**
   * Binds unbound tasks of known containers, and continues tasks whose container is known now.
   * @param bound gets the number of tasks that ran unbound until now, by container number
   */
  async find(bound = new Map<number, number>()): Promise<void> {
    for (let done = 0; done < maxScans; done++) {
      const tasks = await this.#state.findTasks()
      for (const pid of stoppedIn(tasks)) this.#goOn(pid)
      const news = boundIn(tasks, new Set())
      count(news, bound)
      if (news.length > 0) continue
      await this.#release(numbersIn(tasks))
      return
    }
    const reason = `after ${maxScans} scans, containers still have new tasks without their profile`
    throw new EnforcerError('KERNEL_REFUSED', 'bind the tasks of containers', { reason })
  }

  /**
   * A single scan, as in `find`.
   * @param free numbers of containers that had no profile until now, so all their tasks count
   * @returns number of tasks that ran unbound, by container number
   */
  async scan(free: ReadonlySet<number>): Promise<Map<number, number>> {
    return count(boundIn(await this.#state.findTasks(), free), new Map())
  }

  async #release(used: ReadonlySet<number>): Promise<void> {
    for (const number of this.#ended) {
      if (used.has(number)) continue
      this.#ended.delete(number)
      this.#outlived.delete(number)
      for (const [id, kept] of this.#kept) if (kept === number) this.#kept.delete(id)
      this.#point(number, 0)
      await this.#own.set(number, [])
      this.#taken.delete(number)
    }
  }

  #take(id: string): number {
    const number = this.#kept.get(id) ?? this.#next()
    this.#kept.delete(id)
    this.#ended.delete(number)
    this.#outlived.delete(number)
    this.#taken.add(number)
    this.#top = Math.max(this.#top, number)
    return number
  }

  /**
   * Assigns all other numbers before it reuses a number, even after a restart: records of an ended container may still
   * be unread.
   */
  #next(): number {
    const max = this.#size - 1
    while (this.#taken.size < max) {
      const last = this.#state.lastNumber('container')
      let number = last
      do number = (number % max) + 1
      while (this.#taken.has(number))
      // During an update two agents may assign numbers at the same time.
      if (this.#state.noteNumber('container', last, number)) return number
    }
    const reason = `all ${max} places for containers are in use; raise --bpf-containers of the agent`
    throw new EnforcerError('KERNEL_REFUSED', 'bind the container', { reason })
  }

  /**
   * Sets what programs know about the container's first process. Without facts, removes the facts of an earlier
   * container.
   */
  #setFirst(number: number, facts: Uint8Array = new Uint8Array(container.size)): void {
    const { ns, ns_id, mnt_ns, cgroup } = container.at
    for (const at of [ns_id, ns_id + 4, ns, ns + 4, mnt_ns, cgroup, cgroup + 4])
      this.#state.swap('varmor_containers', number * container.size + at, undefined, wordIn(facts, at))
  }

  #point(number: number, slot: number): void {
    this.#state.swap('varmor_containers', number * container.size + container.at.profile, undefined, slot)
  }
}

/** Numbers of the containers that have tasks. */
function numbersIn(tasks: Uint8Array): Set<number> {
  const numbers = new Set<number>()
  for (let at = 0; at < tasks.length; at += found.size) numbers.add(numberIn(found, tasks, 'container', at))
  return numbers
}

/**
 * Pids of stopped processes whose container is known now. A task outside of this pid namespace has pid 0, and is left
 * out.
 */
function stoppedIn(tasks: Uint8Array): number[] {
  const pids: number[] = []
  for (let at = 0; at < tasks.length; at += found.size)
    if (numberIn(found, tasks, 'stopped', at) !== 0) pids.push(numberIn(found, tasks, 'pid', at))
  return pids.filter((pid) => pid > 0)
}

/**
 * The container number of each task that was just bound, or whose number is in `before`; 0 for a task that was stopped
 * until now.
 */
function boundIn(tasks: Uint8Array, before: ReadonlySet<number>): number[] {
  const numbers: number[] = []
  for (let at = 0; at < tasks.length; at += found.size) {
    const number = numberIn(found, tasks, 'container', at)
    if (numberIn(found, tasks, 'bound', at) !== 0 || before.has(number))
      numbers.push(numberIn(found, tasks, 'stopped', at) === 0 ? number : 0)
  }
  return numbers
}

function count(numbers: readonly number[], counts: Map<number, number>): Map<number, number> {
  for (const number of numbers) if (number > 0) counts.set(number, (counts.get(number) ?? 0) + 1)
  return counts
}
