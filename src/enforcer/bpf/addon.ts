import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'

declare const state: unique symbol

/** Programs and maps that are pinned in a folder, as the native module holds them. */
export interface NativeState {
  readonly [state]: true
}

/** Every field is required: the native side has no defaults. */
export interface LoadOptions {
  /** Path of the object with all programs. */
  object: string
  /** Two levels below the root of a BPF file system. It appears when all programs are attached. */
  folder: string
  /** Bytes of the ring of records: a power of two, and a multiple of the page size. */
  ringBytes: number
  /** Numbers of containers, and slots of profiles: sizes of the maps. The first number and slot are not used. */
  containers: number
  profiles: number
  /** Inode number of the host's mount namespace; 0 for none, and then no container is found by its cgroup. */
  hostMntNs: number
  /** 1: programs that start in an unknown container are stopped (SIGSTOP). */
  strictStart: 0 | 1
}

/** A value for a map; without one, the entry is removed. */
export interface MapWrite {
  map: string
  key: Uint8Array
  value?: Uint8Array
  /** `map` is a map of maps: `value` goes, with zeros behind it, into a new map whose one value has so many bytes. */
  inner?: number
}

/**
 * The native module. Promises are for what may wait for the kernel, which is done on another thread. Everything fails
 * with an Error that has `step`, `errno` and, for `load`, what libbpf and the verifier have said as `log`.
 */
export interface BpfAddon {
  /**
   * Whether the kernel lacks features that `varmor.bpf.o` needs, and takes `varmor-old.bpf.o`: kernels before Linux 6.1
   * without backports.
   */
  needsOldObject(): boolean
  /**
   * Loads and attaches all programs, unless the folder is there. `absent`: sections of programs whose hook the kernel
   * lacks.
   */
  load(options: LoadOptions): Promise<{ reused: boolean; absent: string }>
  /**
   * Removes a folder, detaches its programs, and frees their maps. Linux 6.1 needs a tenth of a second or more for each
   * program; without `wait` this continues in the background, also when this process ends.
   */
  drop(folder: string, wait: boolean): Promise<void>
  /** The pins of a folder. They are looked for when they are used. */
  open(folder: string): NativeState
  /** In this order, up to the first that fails. */
  write(state: NativeState, writes: readonly MapWrite[]): Promise<void>
  /**
   * Removes all entries that have the number at the offset of key and value, one behind the other.
   * @returns how many
   */
  removeWhere(state: NativeState, map: string, which: { offset: number; number: number }): Promise<number>
  /**
   * Has the programs find the tasks of containers, and bind those that are not bound: struct varmor_found, one behind
   * the other.
   */
  findTasks(state: NativeState): Promise<Uint8Array>
  /** Which map is in which slot of `varmor_profiles`: struct varmor_slot, one behind the other. */
  listProfiles(state: NativeState): Promise<Uint8Array>
  /**
   * Of a map with a value for each processor, all of them. null for none. Not of a map of maps, at which the kernel may
   * wait.
   */
  get(state: NativeState, map: string, key: Uint8Array): Uint8Array | null
  /** Keys and values, one behind the other. Not of a map of maps. */
  entries(state: NativeState, map: string): Uint8Array
  /**
   * Puts a number at an offset of a mapped map at once, where `expected` stood; below 0: whatever stood there.
   * @returns whether it did
   */
  swap(state: NativeState, map: string, offset: number, expected: number, number: number): boolean
  /** How many programs are attached by the folder's pins. */
  links(state: NativeState): number
}

const root = (): string => bindings.getRoot(fileURLToPath(import.meta.url))

/** Where `npm run build:bpf` puts the object for this kernel. */
export const builtObject = (addon: BpfAddon): string =>
  join(root(), 'native', 'bpf', 'build', addon.needsOldObject() ? 'varmor-old.bpf.o' : 'varmor.bpf.o')

/** Loads the addon that `npm run build:addon` makes. @returns why there is none, with what to do about it */
export function loadBpfAddon(): BpfAddon | string {
  try {
    return bindings({ bindings: 'bpf', module_root: join(root(), 'native', 'addon') }) as BpfAddon
  } catch (error) {
    const reason = (error as Error).message.split('\n', 1)[0]
    return `cannot load the native module for BPF (${reason}); build it with \`npm run build:addon\`, which needs libbpf-dev, and install libbpf1`
  }
}
