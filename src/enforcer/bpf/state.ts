import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { dirname, join } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { numberIn } from '../../base/c-struct.ts'
import { EnforcerError, errnoOf, ioError } from '../enforcer-error.ts'
import type { BpfAddon, LoadOptions, MapWrite, NativeState } from './addon.ts'
import { container, found, lastNumbers, settings, shownSlot, word, wordIn } from './layout.ts'

/** A folder two levels below the root of the BPF file system. */
export const stateRoot = '/sys/fs/bpf/varmor'

export interface StateOptions extends Omit<LoadOptions, 'folder'> {
  addon: BpfAddon
  /** Default `stateRoot`. */
  root?: string
}

/** Number of lines that are kept from the end of the verifier's output, because they give the reason. */
const keptLines = 6

/** Thrown if a map has a value that agents of this build never write, so another process has changed it. */
export class DamagedState extends EnforcerError {
  constructor(map: string, reason: string) {
    super('KERNEL_REFUSED', `read ${map}`, { map, reason: `the map was changed by another program: ${reason}` })
  }
}

/** @throws {DamagedState} */
function checkSize(map: string, bytes: Uint8Array, fits: (length: number) => boolean, size: string): void {
  if (!fits(bytes.length)) throw new DamagedState(map, `it holds ${bytes.length} bytes in place of ${size}`)
}

/** @throws {DamagedState} if the bytes are not a whole number of records of this size */
function whole(map: string, bytes: Uint8Array, size: number): Uint8Array {
  checkSize(map, bytes, (length) => length % size === 0, `a multiple of ${size}`)
  return bytes
}

/**
 * Whether memory for BPF counts as locked memory, which is so before Linux 5.11. libbpf raises that limit if it is
 * permitted.
 */
const countsAsLocked = (kernel: string): boolean => {
  const [major = 0, minor = 0] = kernel.split('.').map(Number)
  return major < 5 || (major === 5 && minor < 11)
}

/** The privilege that the agent may lack when the kernel returns EPERM. */
function permissionRemedy(kernel: string): string {
  const locked = countsAsLocked(kernel)
    ? `, on this Linux ${kernel} also the capability SYS_RESOURCE or unlimited locked memory (LimitMEMLOCK=infinity, ulimit -l unlimited)`
    : ''
  return `; the agent needs the capabilities BPF and PERFMON${locked}, and a kernel that is not locked down`
}

/**
 * Converts an error of the native module to an EnforcerError.
 * @param kernel version, as in `uname -r`
 */
export function kernelError(step: string, error: unknown, kernel = release()): EnforcerError {
  if (error instanceof EnforcerError) return error
  const { step: inner, errno, log = '' } = error as { step?: string; errno?: number; log?: string }
  if (inner === undefined || errno === undefined) throw error
  const name = getSystemErrorName(-errno)
  const lines = log
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-keptLines)
  const remedy = name === 'EPERM' ? permissionRemedy(kernel) : ''
  const said = lines.length === 0 ? '' : `; messages of the kernel's verifier and libbpf: ${lines.join(' | ')}`
  return new EnforcerError('KERNEL_REFUSED', step, { reason: `${inner}: ${name}${remedy}${said}` }, { cause: error })
}

/**
 * The programs and maps of one build. They are pinned in a folder of the BPF file system whose name is a digest of the
 * build. An existing folder is used, even if another process created it. Programs of other builds stay attached until
 * their folders are dropped.
 */
export class BpfState {
  readonly folder: string
  /** Whether the folder existed before this process. */
  readonly reused: boolean
  /** Folders of other builds, and damaged folders of this build. */
  readonly others: readonly string[]
  /** Hooks that the kernel lacks. */
  readonly absent: readonly string[]
  readonly #addon: BpfAddon
  readonly #native: NativeState

  private constructor(
    addon: BpfAddon,
    { folder, reused, absent, others }: Pick<BpfState, 'folder' | 'reused' | 'absent' | 'others'>,
  ) {
    this.#addon = addon
    this.#native = addon.open(folder)
    this.folder = folder
    this.reused = reused
    this.absent = absent
    this.others = others
  }

  /**
   * Opens the folder of this build, or loads the programs.
   * @param again whether to load the programs although the folder exists, because another process has changed it
   * @throws {EnforcerError} KERNEL_REFUSED, IO
   */
  static async open({ addon, root = stateRoot, ...options }: StateOptions, again = false): Promise<BpfState> {
    const build = buildOf(options)
    const folders = foldersIn(root)
    const own = folders.filter(({ name }) => name === build).sort((a, b) => a.number - b.number)
    const last = own.at(-1)
    const path = (name: string, number: number): string => join(root, `${name}-${number}`)
    const number = last === undefined ? 1 : last.number + (again ? 1 : 0)
    const folder = path(build, number)
    const others = folders.map((one) => path(one.name, one.number)).filter((one) => one !== folder)
    try {
      const { reused, absent } = await addon.load({ ...options, folder })
      return new BpfState(addon, { folder, reused, others, absent: absent.split(' ').filter((name) => name !== '') })
    } catch (error) {
      throw kernelError('load the BPF programs', error)
    }
  }

  write(writes: readonly MapWrite[], step: string): Promise<void> {
    return this.#try(step, () => this.#addon.write(this.#native, writes))
  }

  removeWhere(map: string, which: { offset: number; number: number }, step: string): Promise<number> {
    return this.#try(step, () => this.#addon.removeWhere(this.#native, map, which))
  }

  /**
   * Until `unfollow`, `findTasks` also binds the tasks that the programs of another build have bound, including tasks
   * that have left their container's cgroup.
   * @returns false if another process has changed those programs, so that their tasks may not be right
   */
  follow(folder: string): boolean {
    try {
      return this.#now('read the tasks of another build', () => {
        const other = this.#addon.open(folder)
        const set = this.#addon.get(other, 'varmor_settings', word(0))
        if (set?.length !== settings.size || this.#addon.links(other) < numberIn(settings, set, 'links')) return false
        this.#addon.follow(this.#native, folder)
        return true
      })
    } catch (error) {
      if (!(error instanceof EnforcerError)) throw error
      return false
    }
  }

  /** Ends the effect of `follow`, even of a call by an earlier agent. @throws {EnforcerError} */
  unfollow(): void {
    this.#now('leave the tasks of another build', () => this.#addon.follow(this.#native, null))
  }

  async findTasks(): Promise<Uint8Array> {
    const tasks = await this.#try('look for tasks of containers', () => this.#addon.findTasks(this.#native))
    return whole('varmor_find_tasks', tasks, found.size)
  }

  /** Kernel ids of the profiles' maps, by slot. */
  async profileMaps(): Promise<Map<number, number>> {
    const bytes = await this.#try('list the BPF profiles', () => this.#addon.listProfiles(this.#native))
    whole('varmor_list_profiles', bytes, shownSlot.size)
    const maps = new Map<number, number>()
    for (let at = 0; at < bytes.length; at += shownSlot.size)
      maps.set(numberIn(shownSlot, bytes, 'slot', at), numberIn(shownSlot, bytes, 'map', at))
    return maps
  }

  /** @param size bytes of the value @throws {EnforcerError} also if the value has another size */
  get(map: string, key: Uint8Array, size: number): Uint8Array | undefined {
    const bytes = this.#get(map, key)
    if (bytes !== undefined) checkSize(map, bytes, (length) => length === size, `${size}`)
    return bytes
  }

  /** The values of all processors, each of this size. @throws {EnforcerError} */
  getAll(map: string, key: Uint8Array, size: number): Uint8Array | undefined {
    const bytes = this.#get(map, key)
    return bytes && whole(map, bytes, size)
  }

  /** @param size bytes of a key with its value @throws {EnforcerError} also if entries have another size */
  entries(map: string, size: number): Uint8Array {
    return whole(
      map,
      this.#now(`read ${map}`, () => this.#addon.entries(this.#native, map)),
      size,
    )
  }

  #get(map: string, key: Uint8Array): Uint8Array | undefined {
    return this.#now(`read ${map}`, () => this.#addon.get(this.#native, map, key)) ?? undefined
  }

  swap(map: string, offset: number, expected: number | undefined, number: number): boolean {
    return this.#now(`write ${map}`, () => this.#addon.swap(this.#native, map, offset, expected ?? -1, number))
  }

  /** The last assigned number; 0 if there is none. */
  lastNumber(what: keyof typeof lastNumbers): number {
    const bytes = this.get('varmor_containers', word(0), container.size)
    return bytes === undefined ? 0 : wordIn(bytes, lastNumbers[what])
  }

  /**
   * Stores the last assigned number.
   * @returns false if another agent has changed it, so that it is not `before`
   */
  noteNumber(what: keyof typeof lastNumbers, before: number | undefined, number: number): boolean {
    return this.swap('varmor_containers', lastNumbers[what], before, number)
  }

  /**
   * Sets whether programs that start in unknown containers are stopped. Leaves settings of another build alone if their
   * size differs.
   * @throws {EnforcerError} also if the settings of this build have another size
   */
  async beStrict(strict: boolean, folder = this.folder): Promise<void> {
    const step = 'set whether tasks in unknown containers are stopped'
    await this.#try(step, async () => {
      // Set only this field, because an iterator writes another field of the value. For another build, write the whole
      // value: its map may not be mapped into memory, and its iterator does not run now.
      if (folder === this.folder) {
        this.get('varmor_settings', word(0), settings.size)
        this.swap('varmor_settings', settings.at.strict_start, undefined, Number(strict))
        return
      }
      const native = this.#addon.open(folder)
      const before = this.#addon.get(native, 'varmor_settings', word(0))
      if (before === null || before.length !== settings.size) return
      const value = Uint8Array.from(before)
      value.set(word(Number(strict)), settings.at.strict_start)
      await this.#addon.write(native, [{ map: 'varmor_settings', key: word(0), value }])
    })
  }

  /** Whether another process has detached a program, removed its pin, or changed the settings. */
  get damaged(): boolean {
    try {
      const set = this.get('varmor_settings', word(0), settings.size)
      const attached = this.#now('read the state of the programs', () => this.#addon.links(this.#native))
      return set === undefined || attached < numberIn(settings, set, 'links')
    } catch (error) {
      if (error instanceof EnforcerError) return true
      throw error
    }
  }

  /** @param wait whether to wait until no program of the folder is attached */
  drop(folder: string, wait: boolean): Promise<void> {
    return this.#try('remove the programs of another build', () => this.#addon.drop(folder, wait))
  }

  /** Removes the folder that contains the folders of all builds, once these are removed. */
  removeRoot(): void {
    const root = dirname(this.folder)
    try {
      rmdirSync(root)
    } catch (error) {
      // Ignore these errors: the folder is gone, or another process has a file in it.
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? ''))
        throw ioError('remove the folder of pins', root, error)
    }
  }

  async #try<Result>(step: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw kernelError(step, error)
    }
  }

  #now<Result>(step: string, work: () => Result): Result {
    try {
      return work()
    } catch (error) {
      throw kernelError(step, error)
    }
  }
}

/** Digest of the build: a state with another digest is not reused. */
function buildOf({ object, ...options }: Omit<StateOptions, 'addon' | 'root'>): string {
  const { ringBytes, containers, profiles, hostMntNs, strictStart } = options
  try {
    const parts = [readFileSync(object), `${ringBytes} ${containers} ${profiles} ${hostMntNs} ${strictStart}`]
    return parts
      .reduce((hash, part) => hash.update(part), createHash('sha256'))
      .digest('hex')
      .slice(0, 16)
  } catch (error) {
    const remedy = 'build them with `npm run build:bpf`, or give their path'
    const reason = `cannot read the BPF programs (${errnoOf(error)}): ${remedy}`
    throw new EnforcerError('IO', 'load the BPF programs', { path: object, reason }, { cause: error })
  }
}

/** Returns the folders of builds and drafts, and no folders with other names. */
function foldersIn(root: string): { name: string; number: number }[] {
  let names: string[] = []
  try {
    names = readdirSync(root)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  return names.flatMap((text) => {
    const [, name, number] = /^([0-9a-f]{16})-([1-9]\d{0,8})$/.exec(text) ?? []
    return name === undefined || !statSync(join(root, text)).isDirectory() ? [] : [{ name, number: Number(number) }]
  })
}
