import { existsSync } from 'node:fs'
import { extname } from 'node:path'
import type { ModellerMessage } from '../../../actors/modeller.ts'
import { ActorSystem, type Family } from '../../../actors/runtime/index.ts'
import { type Recording, recordingOf } from '../../api/recording.ts'
import type { ArmorProfile } from '../../api/types.ts'
import type { Recorded } from '../../audit/model/recorded.ts'
import type { Loss } from '../../audit/sink/loss-tally.ts'
import { logTrouble } from '../../base/bug.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { PolicyBackend } from '../policy-backend.ts'
import { reporting } from '../profiles/kept-profile.ts'
import { beganFamily, beganFamilyName, courierFamily, courierFamilyName, type SendModel } from './courier.ts'
import { RecordingFolder } from './recording-files.ts'
import { type ModellerThreadData, modellerFamilyName } from './thread-data.ts'

export interface ModellersOptions {
  /** Name of the Node object. */
  node: string
  /** Folder of the recordings. */
  folder: string
  /** Origins of managers' status servers. */
  managers: readonly string[]
  send: SendModel
  /** Called when the workers must change what they record for a profile: see PolicyIdentity.modelling. */
  onChange(profileName: string, modelling: string): void
  /** Returns the seconds since the oldest unwritten record was read. Default: no record waits. */
  unwritten?: () => number
  clock: Clock
  logger: Logger
  /** Where the modellers run. Default: a thread of their own. */
  place?: (system: ActorSystem) => Family<ModellerMessage>
}

/** Returns the modellers of an agent; undefined if managers do not make models from recordings. */
export function modellersOf(
  { models }: Pick<PolicyBackend, 'models'>,
  options: Omit<ModellersOptions, 'managers' | 'send'>,
): Modellers | undefined {
  return models === undefined ? undefined : new Modellers({ ...models, ...options })
}

/**
 * Milliseconds between two repeated messages to modellers about what to record. After a failure of a modeller or its
 * thread, recording continues with the next message.
 */
const REPEAT = 10_000

interface Known {
  wanted: Recording
  profileName: string
  /** Increased when facts may not have reached the modeller. Workers then send all facts again. */
  round: number
  /**
   * Set when the recording is over, but its last records may still arrive. The modeller continues until this timer
   * ends.
   */
  closing: Timer | undefined
}

/** Milliseconds after the end of a recording in which its last records are read. */
const CLOSING = 4_000
/**
 * Milliseconds for records that were read before the end but still wait for their container. Managers wait a minute for
 * the whole recording.
 */
const CLOSED_AT_LAST = 40_000

/**
 * The modellers of a node: an actor for each ArmorProfile whose policy models behaviour. They have their own thread,
 * because their data is large and is written every few seconds. The first modeller starts the thread.
 */
export class Modellers {
  readonly #options: ModellersOptions
  readonly #system: ActorSystem
  readonly #known = new Map<string, Known>()
  readonly #keys = new Map<string, string>()
  /** All ArmorProfiles, recorded or not. */
  readonly #seen = new Set<string>()
  /** ArmorProfiles that were recorded since this agent started. */
  readonly #recorded = new Set<string>()
  #records = 0
  #lost = 0
  #family: Family<ModellerMessage> | undefined
  #repeat: Timer | undefined

  constructor(options: ModellersOptions) {
    this.#options = options
    const { logger, clock, managers, send } = options
    this.#system = new ActorSystem({ logger, clock })
    this.#system.family(courierFamilyName, courierFamily(managers, send))
    this.#system.family(
      beganFamilyName,
      beganFamily((key) => this.#sendAgain(key)),
    )
  }

  /**
   * For metrics: ArmorProfiles that are recorded now, records that were received, and records that were lost meanwhile.
   */
  get counts(): { open: number; records: number; lost: number } {
    let open = 0
    for (const { wanted } of this.#known.values()) if (wanted.open) open++
    return { open, records: this.#records, lost: this.#lost }
  }

  /**
   * Handles an ArmorProfile that appeared, changed or was deleted.
   * @returns what workers must record for it: see PolicyIdentity.modelling
   */
  profile(profile: ArmorProfile, isGone: boolean): string | undefined {
    const key = `${profile.metadata.namespace}/${profile.metadata.name}`
    if (isGone) for (const keys of [this.#seen, this.#recorded]) keys.delete(key)
    else this.#seen.add(key)
    const wanted = isGone || profile.metadata.deletionTimestamp !== undefined ? undefined : recordingOf(profile)
    if (wanted === undefined) {
      this.#forget(key, isGone)
      return !isGone && this.#wasRecorded(key) && reportsNothingAllowed(profile) ? '' : undefined
    }
    this.#recorded.add(key)
    this.#follow(key, profile.spec.profile.name, wanted)
    this.#sayWanted(key)
    this.#repeatLater()
    return modellingOf(this.#known.get(key)!)
  }

  #wasRecorded(key: string): boolean {
    return this.#recorded.has(key) || new RecordingFolder(this.#options.folder).has(key)
  }

  #follow(key: string, profileName: string, wanted: Recording): void {
    const before = this.#known.get(key)
    const isSame = before?.wanted.id === wanted.id
    if (!isSame || wanted.open) before?.closing?.cancel()
    const known: Known = { wanted, profileName, round: before?.round ?? 0, closing: undefined }
    if (isSame && !wanted.open) known.closing = before.wanted.open ? this.#close(key) : before.closing
    this.#known.set(key, known)
    this.#keys.set(profileName, key)
  }

  #close(key: string, since = this.#options.clock.now()): Timer {
    const { clock, unwritten, onChange, logger } = this.#options
    return clock.after(CLOSING, () => {
      const known = this.#known.get(key)
      if (known === undefined) return
      const passed = clock.now() - since
      const milliseconds = (unwritten?.() ?? 0) * 1000
      const isBehind = milliseconds >= passed
      if (isBehind && passed < CLOSED_AT_LAST) {
        known.closing = this.#close(key, since)
        return
      }
      known.closing = undefined
      if (isBehind) {
        logger.warn({ profile: key }, 'the recording was closed before all records were decoded; some may be missing')
        this.#tell(key, { type: 'behind', milliseconds })
      }
      onChange(known.profileName, modellingOf(known))
      this.#sayWanted(key)
    })
  }

  #sayWanted(key: string): void {
    const known = this.#known.get(key)!
    this.#tell(key, { type: 'wanted', wanted: { ...known.wanted, open: goesOn(known) } })
  }

  /** Removes the recordings of deleted ArmorProfiles. Call it when all existing ArmorProfiles have passed `profile`. */
  async listed(): Promise<void> {
    const { folder, logger } = this.#options
    try {
      await new RecordingFolder(folder).keepOnly(this.#seen)
    } catch (error) {
      logTrouble(logger, error, { err: error, folder }, 'cannot remove recordings of deleted ArmorProfiles')
    }
  }

  /** Handles what the workers of the pipeline have found. */
  found(all: readonly Recorded[]): void {
    for (const { profileName, found, records, ofRuntime, lost } of all) {
      this.#records += records
      const key = this.#keys.get(profileName)
      if (key === undefined) continue
      this.#lost += lost
      if (lost > 0) this.#tell(key, { type: 'lost', records: lost })
      if (!this.#tell(key, { type: 'found', found, records, ofRuntime })) this.#sendAgain(key)
    }
  }

  /**
   * Handles a loss. A record that was lost before it was read may be of any recorded container. A record that a full
   * log dropped was read before, so it does not count.
   */
  lost({ where, events: records = 1 }: Loss): void {
    if (where === 'sink') return
    const open = [...this.#known].filter(([, known]) => goesOn(known))
    if (open.length > 0) this.#lost += records
    for (const [key] of open) this.#tell(key, { type: 'lost', records })
  }

  async stop(): Promise<void> {
    this.#repeat?.cancel()
    for (const { closing } of this.#known.values()) closing?.cancel()
    await this.#system.stop({ within: 10_000 })
  }

  /** The recording stays until the ArmorProfile is deleted, because a new leader may ask for it. */
  #forget(key: string, isGone: boolean): void {
    const known = this.#known.get(key)
    known?.closing?.cancel()
    this.#known.delete(key)
    if (known !== undefined) this.#keys.delete(known.profileName)
    // If no ArmorProfile was ever recorded here, do not start the thread.
    if (isGone && (this.#family !== undefined || existsSync(this.#options.folder)))
      this.#tell(key, { type: 'wanted', wanted: undefined })
  }

  #tell(key: string, message: ModellerMessage): boolean {
    this.#family ??= (this.#options.place ?? ((system) => this.#onThread(system)))(this.#system)
    return this.#family.of(key).tell(message)
  }

  #sendAgain(key: string): void {
    const known = this.#known.get(key)
    if (known === undefined || !goesOn(known)) return
    known.round++
    this.#options.onChange(known.profileName, modellingOf(known))
  }

  #repeatLater(): void {
    this.#repeat ??= this.#options.clock.after(REPEAT, () => {
      this.#repeat = undefined
      for (const key of this.#known.keys()) this.#sayWanted(key)
      if (this.#known.size > 0) this.#repeatLater()
    })
  }

  #onThread(system: ActorSystem): Family<ModellerMessage> {
    const { node, folder } = this.#options
    const data: ModellerThreadData = { node, folder }
    const thread = system.thread(modellerFamilyName, {
      module: ownModule,
      families: [modellerFamilyName],
      data,
      heap: HEAP,
    })
    return thread.family(modellerFamilyName)
  }
}

/**
 * Heap of the thread in MiB. This is enough for all recordings (NodeQuota) and their reports. It is less than the
 * memory of the agent's container. So if the thread fills its heap, only the thread ends.
 */
const HEAP = 192

/** Module of the thread: a source file if the agent runs from sources, else the compiled file. */
const ownModule = new URL(`./modeller-thread${extname(import.meta.url)}`, import.meta.url)

/**
 * Whether the present profile does not report allowed accesses. If so, a record of an allowed access is from an earlier
 * profile: a container keeps its seccomp filter until it restarts, so the filter of the recording still reports each
 * call.
 */
const reportsNothingAllowed = ({ spec: { profile } }: ArmorProfile): boolean =>
  profile.seccomp?.includes(reporting.seccomp) !== true && profile.appArmor?.includes(reporting.appArmor) !== true

const goesOn = ({ wanted, closing }: Known): boolean => wanted.open || closing !== undefined

const modellingOf = (known: Known): string => (goesOn(known) ? `${known.wanted.id} ${known.round}` : '')
