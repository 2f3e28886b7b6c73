import type { DynamicResult } from '../../api/types.ts'
import { mebibyte } from '../../base/bytes.ts'

/** The behaviour that one batch shows of workloads of one profile while the profile's policy models behaviour. */
export interface Recorded {
  profileName: string
  /** The id of the recording that collects this behaviour (PolicyIdentity.modelling). */
  recording: string
  /** Facts that are new to this worker. */
  found: DynamicResult
  /** Records about the workload, including repeated facts. */
  records: number
  /** Records of the container runtime while it starts the container. They are not the workload's behaviour. */
  ofRuntime: number
  /**
   * Records with new facts whose process is unknown. It may belong to the workload, or may have entered the profile
   * from elsewhere.
   */
  lost: number
}

type Section<T> = NonNullable<T>
export type AppArmorFound = Section<DynamicResult['appArmor']>
export type BpfFound = Section<DynamicResult['bpf']>

/**
 * Maximum remembered facts of a profile; a remembered fact is not reported again. Beyond the limit the profile forgets
 * all its facts, so the next records report them again.
 */
const maxRemembered = 65_536
/**
 * Maximum characters of the remembered facts of all profiles in a worker. Beyond the limit all profiles forget their
 * facts. The limit exists because a workload chooses the length of its names.
 */
const maxCharacters = 16 * mebibyte
/** Maximum profiles in a worker. The names come from policies, but the names of deleted policies are not removed. */
const maxProfiles = 1_024

/** The behaviour that a worker has found for one profile. */
export class ProfileRecording {
  readonly profileName: string
  readonly recording: string
  readonly #seen = new Set<string>()
  found: DynamicResult = {}
  records = 0
  ofRuntime = 0
  lost = 0
  /** Characters of the remembered facts. */
  characters = 0

  constructor(profileName: string, recording: string) {
    this.profileName = profileName
    this.recording = recording
  }

  /** Whether `note` has added this fact. */
  knows(key: string): boolean {
    return this.#seen.has(key)
  }

  note(key: string): void {
    if (this.#seen.size >= maxRemembered) this.forget()
    this.#seen.add(key)
    this.characters += key.length
  }

  forget(): void {
    this.#seen.clear()
    this.characters = 0
  }

  get appArmor(): AppArmorFound {
    this.found.appArmor ??= {}
    return this.found.appArmor
  }

  get bpf(): BpfFound {
    this.found.bpf ??= {}
    return this.found.bpf
  }

  addCall(name: string): void {
    this.found.seccomp ??= {}
    const { seccomp } = this.found
    seccomp.syscalls ??= []
    seccomp.syscalls.push(name)
  }
}

/** The behaviour that a worker has found for all profiles whose policies model behaviour. */
export class Recordings {
  readonly #byProfile = new Map<string, ProfileRecording>()
  readonly #touched = new Set<ProfileRecording>()

  /** @returns the recording of the profile; the next `take` includes it */
  of(profileName: string, recording: string): ProfileRecording {
    let of = this.#byProfile.get(profileName)
    if (of === undefined || of.recording !== recording) {
      if (this.#byProfile.size >= maxProfiles) this.#byProfile.clear()
      of = new ProfileRecording(profileName, recording)
      this.#byProfile.set(profileName, of)
    }
    this.#touched.add(of)
    return of
  }

  /** Returns the behaviour found since the last call; undefined, as usual, if nothing was found. */
  take(): Recorded[] | undefined {
    if (this.#touched.size === 0) return undefined
    const taken: Recorded[] = []
    for (const of of this.#touched) {
      const { profileName, recording, found, records, ofRuntime, lost } = of
      if (records + ofRuntime + lost > 0) taken.push({ profileName, recording, found, records, ofRuntime, lost })
      of.found = {}
      of.records = of.ofRuntime = of.lost = 0
    }
    this.#touched.clear()
    this.#bound()
    return taken.length === 0 ? undefined : taken
  }

  /** Forgets all facts if they exceed the limit. One check for each batch is enough: a batch adds at most its size. */
  #bound(): void {
    let characters = 0
    for (const of of this.#byProfile.values()) characters += of.characters
    if (characters > maxCharacters) for (const of of this.#byProfile.values()) of.forget()
  }
}
