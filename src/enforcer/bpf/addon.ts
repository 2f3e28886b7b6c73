import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'

declare const state: unique symbol

/** The pinned programs and maps of a folder, as an object of the native module. */
export interface NativeState {
  readonly [state]: true
}

/** All fields are required, because the native module has no defaults. */
export interface LoadOptions {
  /** Path of the object file with all programs. */
  object: string
  /** A folder two levels below the root of a BPF file system. It becomes visible when all programs are attached. */
  folder: string
  /** Size of the ring of records in bytes: a power of two, and a multiple of the page size. */
  ringBytes: number
  /** Sizes of the maps, in numbers of containers and slots of profiles. Number 0 and slot 0 are unused. */
  containers: number
  profiles: number
  /** Inode number of the host's mount namespace. 0: unknown, and programs then do not find containers by cgroup. */
  hostMntNs: number
  /** Whether programs that start in an unknown container are stopped (SIGSTOP). */
  strictStart: 0 | 1
}

/** A value for a map. Without a value, the entry is removed. */
export interface MapWrite {
  map: string
  key: Uint8Array
  value?: Uint8Array
  /** For a map of maps: a new inner map of this many bytes holds `value`, followed by zeros. */
  inner?: number
}

/**
 * The native module. A function that may wait for the kernel works on another thread and returns a promise. All errors
 * have `step` and `errno`; errors of `load` also have the output of libbpf and the verifier as `log`.
 */
export interface BpfAddon {
  /**
   * Whether the kernel lacks features of `varmor.bpf.o` and needs `varmor-old.bpf.o`: kernels before Linux 6.1 without
   * backports.
   */
  needsOldObject(): boolean
  /**
   * Loads and attaches all programs, unless the folder exists. `absent`: sections of programs whose hook the kernel
   * lacks.
   */
  load(options: LoadOptions): Promise<{ reused: boolean; absent: string }>
  /**
   * Removes a folder, detaches its programs, and frees their maps. Linux 6.1 needs a tenth of a second or more for each
   * program; without `wait` this continues in the background, even after this process has ended.
   */
  drop(folder: string, wait: boolean): Promise<void>
  /** Opens the pins of a folder. Each pin is looked up when it is used. */
  open(folder: string): NativeState
  /** Writes entries in this order, up to the first failure. */
  write(state: NativeState, writes: readonly MapWrite[]): Promise<void>
  /**
   * Removes all entries that have the number at this offset, counted from the start of the key through the value.
   * @returns number of removed entries
   */
  removeWhere(state: NativeState, map: string, which: { offset: number; number: number }): Promise<number>
  /**
   * Makes `findTasks` bind tasks that the programs in another folder have bound; null ends this. The call may block for
   * a moment.
   */
  follow(state: NativeState, folder: string | null): void
  /** Scans the tasks of containers and binds unbound tasks. Returns an array of struct varmor_found. */
  findTasks(state: NativeState): Promise<Uint8Array>
  /** Returns an array of struct varmor_slot: the map in each slot of `varmor_profiles`. */
  listProfiles(state: NativeState): Promise<Uint8Array>
  /**
   * Returns one value; for a per-CPU map, the values of all processors. null if there is no entry. Not for a map of
   * maps, where the kernel may wait.
   */
  get(state: NativeState, map: string, key: Uint8Array): Uint8Array | null
  /** Returns keys and values in turn. Not for a map of maps. */
  entries(state: NativeState, map: string): Uint8Array
  /**
   * Atomically replaces `expected` (below 0: any number) at an offset of a mapped map.
   * @returns whether the number was replaced
   */
  swap(state: NativeState, map: string, offset: number, expected: number, number: number): boolean
  /** Returns the number of programs that the folder's pins keep attached. */
  links(state: NativeState): number
}

const root = (): string => bindings.getRoot(fileURLToPath(import.meta.url))

/** Path at which `npm run build:bpf` puts the object for this kernel. */
export const builtObject = (addon: BpfAddon): string =>
  join(root(), 'native', 'bpf', 'build', addon.needsOldObject() ? 'varmor-old.bpf.o' : 'varmor.bpf.o')

/**
 * Loads the addon that `npm run build:addon` builds.
 * @returns the addon, or why it cannot be loaded, with a remedy
 */
export function loadBpfAddon(): BpfAddon | string {
  try {
    return bindings({ bindings: 'bpf', module_root: join(root(), 'native', 'addon') }) as BpfAddon
  } catch (error) {
    const reason = (error as Error).message.split('\n', 1)[0]
    return `cannot load the native module for BPF (${reason}); build it with \`npm run build:addon\`, which needs libbpf-dev, and install libbpf1`
  }
}
