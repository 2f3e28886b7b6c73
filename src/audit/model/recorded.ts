import type { DynamicResult } from '../../api/types.ts'
import { mebibyte } from '../../base/bytes.ts'

/** What the records of one batch say that workloads of one profile did, while its policy models behaviour. */
export interface Recorded {
  profileName: string
  /** Which recording it was found for (PolicyIdentity.modelling). */
  recording: string
  /** What this worker had not found before. */
  found: DynamicResult
  /** Records that say something of the workload, those that repeat what was known included. */
  records: number
  /** Records of the container runtime's own start in the container, which are no behaviour of the workload. */
  ofRuntime: number
  /** Records that say something new, by whom nobody can say: of the workload, or of whoever else has gone into its profile. */
  lost: number
}

type Section<T> = NonNullable<T>
export type AppArmorFound = Section<DynamicResult['appArmor']>
export type BpfFound = Section<DynamicResult['bpf']>

/** Facts that are remembered for a profile, so that a repeated one is passed over; beyond, all are forgotten, and come again. */
const mostRemembered = 65_536
/** Characters of the facts of all profiles that a worker remembers; beyond, all are forgotten as well. A workload chooses how long its names are. */
const mostCharacters = 16 * mebibyte
/** Names of profiles come from policies, but those of policies that have gone are not taken away. */
const mostProfiles = 1_024

/** What one worker has found of one profile. */
export class ProfileRecording {
  readonly profileName: string
  readonly recording: string
  readonly #seen = new Set<string>()
  found: DynamicResult = {}
  records = 0
  ofRuntime = 0
  lost = 0
  /** Of what is remembered. */
  characters = 0

  constructor(profileName: string, recording: string) {
    this.profileName = profileName
    this.recording = recording
  }

  /** Whether a fact was found before. `note` has it so. */
  knows(key: string): boolean {
    return this.#seen.has(key)
  }

  note(key: string): void {
    if (this.#seen.size >= mostRemembered) this.forget()
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

/** What one worker finds of all profiles whose policies model behaviour. */
export class Recordings {
  readonly #byProfile = new Map<string, ProfileRecording>()
  readonly #touched = new Set<ProfileRecording>()

  /** @returns the one of a profile, whose facts the next `take` has */
  of(profileName: string, recording: string): ProfileRecording {
    let of = this.#byProfile.get(profileName)
    if (of === undefined || of.recording !== recording) {
      if (this.#byProfile.size >= mostProfiles) this.#byProfile.clear()
      of = new ProfileRecording(profileName, recording)
      this.#byProfile.set(profileName, of)
    }
    this.#touched.add(of)
    return of
  }

  /** What was found since the last call; undefined for nothing, as nearly always. */
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

  /** A batch adds no more than its own size. */
  #bound(): void {
    let characters = 0
    for (const of of this.#byProfile.values()) characters += of.characters
    if (characters > mostCharacters) for (const of of this.#byProfile.values()) of.forget()
  }
}
