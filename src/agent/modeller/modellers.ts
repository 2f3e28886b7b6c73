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
import { reporting } from '../kept-profile.ts'
import type { PolicyBackend } from '../policy-backend.ts'
import { beganFamily, beganFamilyName, courierFamily, courierFamilyName, type SendModel } from './courier.ts'
import { RecordingFolder } from './recording-files.ts'
import { type ModellerThreadData, modellerFamilyName } from './thread-data.ts'

export interface ModellersOptions {
  /** Name of the Node object. */
  node: string
  /** Where recordings are kept. */
  folder: string
  /** Origins of managers' status servers. */
  managers: readonly string[]
  send: SendModel
  /** Called when workers are to note something else of a profile: see PolicyIdentity.modelling. */
  onChange(profileName: string, modelling: string): void
  /** Seconds for which what was read longest ago has not been written yet. Default: nothing waits. */
  unwritten?: () => number
  clock: Clock
  logger: Logger
  /** Where the family lives: a thread of its own unless given. */
  place?: (system: ActorSystem) => Family<ModellerMessage>
}

/** Those of an agent; none where no managers make models of what is recorded. */
export function modellersOf(
  { models }: Pick<PolicyBackend, 'models'>,
  options: Omit<ModellersOptions, 'managers' | 'send'>,
): Modellers | undefined {
  return models === undefined ? undefined : new Modellers({ ...models, ...options })
}

/**
 * Milliseconds between two times that modellers are sent their recordings: a modeller continues after it, or its
 * thread, has failed.
 */
const REPEAT = 10_000

interface Known {
  wanted: Recording
  profileName: string
  /** Raised when facts may have been lost on their way, so that workers send again what they know. */
  round: number
  /** The recording is over, but its last records may be on their way: its modeller continues until this timer ends. */
  closing: Timer | undefined
}

/** Milliseconds in which records that were made before the end of a recording are read. */
const CLOSING = 4_000
/**
 * Time for records that were read before the end; some of these records still wait for their container. Managers wait
 * a minute for the whole recording.
 */
const CLOSED_AT_LAST = 40_000

/**
 * The modellers of a node, an actor for each ArmorProfile whose policy models behaviour. They are on a thread of their
 * own, which is started with the first of them: what they gather is large, and is written every few seconds.
 */
export class Modellers {
  readonly #options: ModellersOptions
  readonly #system: ActorSystem
  readonly #known = new Map<string, Known>()
  readonly #keys = new Map<string, string>()
  /** All ArmorProfiles, recorded or not. */
  readonly #seen = new Set<string>()
  /** Those that were recorded since this agent began. */
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
   * For metrics: ArmorProfiles that are recorded now, records that were taken, and records that were lost meanwhile.
   */
  get counts(): { open: number; records: number; lost: number } {
    let open = 0
    for (const { wanted } of this.#known.values()) if (wanted.open) open++
    return { open, records: this.#records, lost: this.#lost }
  }

  /**
   * An ArmorProfile appeared, changed or went.
   * @returns what workers are to note of it: see PolicyIdentity.modelling
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

  /** All ArmorProfiles have gone through `profile`: what was recorded for others is of no use. */
  async listed(): Promise<void> {
    const { folder, logger } = this.#options
    try {
      await new RecordingFolder(folder).keepOnly(this.#seen)
    } catch (error) {
      logTrouble(logger, error, { err: error, folder }, 'cannot remove recordings of deleted ArmorProfiles')
    }
  }

  /** Takes what the workers of the pipeline have found. */
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

  /** Records were lost unread, so their containers are unknown. Records that a full log loses were read before. */
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

  /** What was recorded is kept until the ArmorProfile goes: a manager that takes the lead may ask for it. */
  #forget(key: string, isGone: boolean): void {
    const known = this.#known.get(key)
    known?.closing?.cancel()
    this.#known.delete(key)
    if (known !== undefined) this.#keys.delete(known.profileName)
    // No thread is started for what was never recorded.
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
 * MiB: what all recordings may take (NodeRoom), as it is and as it is sent. Less than the agent's container has: who
 * fills it ends this thread alone.
 */
const HEAP = 192

/** The module of the thread: a source file where the sources run, else the compiled file. */
const ownModule = new URL(`./modeller-thread${extname(import.meta.url)}`, import.meta.url)

/**
 * Whether a record of an allowed access cannot come from the present profile. A Seccomp filter stays with its
 * container: a container that started during the recording reports each call until it is restarted.
 */
const reportsNothingAllowed = ({ spec: { profile } }: ArmorProfile): boolean =>
  profile.seccomp?.includes(reporting.seccomp) !== true && profile.appArmor?.includes(reporting.appArmor) !== true

const goesOn = ({ wanted, closing }: Known): boolean => wanted.open || closing !== undefined

const modellingOf = (known: Known): string => (goesOn(known) ? `${known.wanted.id} ${known.round}` : '')
