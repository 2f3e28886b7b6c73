import { asWall, type Clock, type Timer, type WallMs } from '../../base/clock.ts'
import type { Loss } from '../sink/loss-tally.ts'
import type { AuditRule } from './audit-rules.ts'
import { AuditSourceError } from './audit-source-error.ts'
import type { NoSource } from './choose-source.ts'
import {
  type AuditState,
  hasAppArmor,
  lossReason,
  type ReadSetting,
  type RecordKind,
  recordKinds,
  type Silence,
  type SilenceReason,
  silencedByRules,
  silencedBySettings,
} from './silence.ts'
import type { Notify } from './source.ts'

export interface SilencePorts {
  /** Asks the kernel's audit. @throws AuditSourceError where it may not be asked */
  ask: () => Promise<AuditState>
  read: ReadSetting
  clock: Clock
  notify: Notify
}

/** What a source was told of audit's settings and rules since it began. */
export interface AuditChanges {
  all: number
  /** Of these, removals of a rule from the list `exclude`. */
  exclusionsRemoved: number
}

/** A log of violations, and the source that it is made of. */
export interface WatchedLog {
  lost: (loss: Loss) => void
  /** How many milliseconds ago an agent before this one has read its source last. */
  seenAgo?: number | undefined
  /** Left out by a source that is told nothing. */
  changes?: () => AuditChanges
}

/** Milliseconds. */
const tick = 1_000
/** Ticks after which the kernel is asked although it has told of no change. */
const ticksOfQuiet = 60
/** Milliseconds after which it is said again that a silence lasts. What a kill leaves unsaid, the next agent says. */
const sayEvery = 600_000

const unseen = 'excluded-unseen'

/**
 * Looks whether the kernel makes the records that violations are read from. A rule of its audit, or a setting, can keep them from every
 * log, and nothing counts them. It looks at the start, each minute, and a second after a change that the source is told of.
 */
export class SilenceWatch {
  readonly #ports: SilencePorts
  readonly #spans: Spans
  #log: WatchedLog | undefined
  #told: AuditChanges = { all: 0, exclusionsRemoved: 0 }
  #state: AuditState | undefined
  /** Why the newest state is not known. */
  #unknown: AuditSourceError | undefined
  #settings: { hasAppArmor: boolean; silences: readonly Silence[] } = { hasAppArmor: true, silences: [] }
  #silences: readonly Silence[] = []
  #timer: Timer | undefined
  #ticks = 0
  #closed = false

  constructor(ports: SilencePorts) {
    this.#ports = ports
    this.#spans = new Spans(ports.clock)
  }

  /** Records that the kernel does not make, as far as that is known. */
  get silences(): readonly Silence[] {
    return this.#silences
  }

  /** The switch of the kernel's audit: 0 off, 1 on, 2 on and locked. undefined while it is not known. */
  get enabled(): number | undefined {
    return this.#unknown === undefined ? this.#state?.enabled : undefined
  }

  /** For the readiness; undefined where all is reported, as far as that is known. */
  get unreported(): NoSource | undefined {
    if (this.#silences.length === 0) return undefined
    const all = (text: (silence: Silence) => string): string => [...new Set(this.#silences.map(text))].join('; ')
    return { why: all(({ why }) => why), remedy: all(({ remedy }) => remedy) }
  }

  /** For metrics: 1 where records of a kind are not made, or where it is not known. */
  get samples(): { records: RecordKind; reason: SilenceReason | 'unknown'; value: number }[] {
    const has = (records: RecordKind, reason: SilenceReason | 'unknown'): boolean =>
      reason === 'unknown'
        ? this.enabled === undefined
        : this.#silences.some((one) => one.records === records && one.reason === reason)
    return recordKinds.flatMap((records) =>
      (['rule', 'setting', 'unknown'] as const).map((reason) => ({
        ...{ records, reason },
        value: Number(has(records, reason)),
      })),
    )
  }

  /** Resolves after the first look. */
  async start(): Promise<void> {
    await this.#look()
    this.#wait()
  }

  /** From now on a log says what is missing in it; that of a pipeline before it did so until then. */
  attach(log: WatchedLog): void {
    const { clock } = this.#ports
    this.#log = log
    // The source does not tell of earlier changes: the next look comes soon.
    this.#told = { all: -1, exclusionsRemoved: log.changes?.().exclusionsRemoved ?? 0 }
    if (log.seenAgo !== undefined) this.#spans.begin(clock.now() - log.seenAgo - sayEvery)
    this.#say()
  }

  /** Nobody may write into a log any more. @param last it takes one more line, as no pipeline comes after it soon */
  detach(log: WatchedLog, last: boolean): void {
    if (this.#log !== log) return
    if (last) this.#say(true)
    this.#log = undefined
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #say(all = false): void {
    const { lost } = this.#log ?? {}
    if (lost !== undefined) for (const { why, since } of this.#spans.take(all)) lost({ where: 'kernel', why, since })
  }

  #wait(): void {
    if (this.#closed) return
    this.#timer = this.#ports.clock.after(tick, () => {
      const told = this.#log?.changes?.().all ?? this.#told.all
      if (told === this.#told.all && ++this.#ticks < ticksOfQuiet) this.#wait()
      else void this.#look().then(() => this.#wait())
    })
  }

  async #look(): Promise<void> {
    const { clock, ask, read } = this.#ports
    const at = clock.now()
    this.#ticks = 0
    const [before, told] = [this.#state, this.#log?.changes?.()]
    try {
      this.#settings = { hasAppArmor: hasAppArmor(read), silences: silencedBySettings(read) }
      const state = await ask()
      this.#noteSwitch(state)
      this.#state = state
      this.#unknown = undefined
    } catch (error) {
      this.#noteUnknown(error)
    }
    if (this.#closed) return
    const byRules = this.#state === undefined ? [] : silencedByRules(this.#state, this.#settings.hasAppArmor)
    this.#see([...byRules, ...this.#settings.silences], at)
    if (told !== undefined) {
      if (this.#unknown === undefined && before !== undefined) this.#findUnseen(told, before)
      this.#told = told
    }
    if (this.#unknown === undefined) this.#spans.good(unseen, at)
    this.#say()
  }

  #see(silences: readonly Silence[], at: number): void {
    const { notify } = this.#ports
    const before = this.#silences
    this.#silences = silences
    for (const { why: message, remedy, records } of silences)
      if (!before.some(({ why }) => why === message))
        notify({ level: 'warn', code: 'audit-silenced', message, remedy, context: { enforcer: enforcerOf(records) } })
    for (const { records, reason } of before)
      if (!silences.some((one) => one.records === records && one.reason === reason)) {
        const message = `what kept the kernel from making records of ${records} is gone (${reason})`
        notify({ level: 'info', code: 'audit-silence-ended', message, context: { enforcer: enforcerOf(records) } })
      }
    const whys = new Set(silences.map(lossReason))
    for (const why of whys) this.#spans.bad(why)
    for (const records of recordKinds)
      for (const reason of ['rule', 'setting'] as const) {
        const why = lossReason({ records, reason })
        // Rules that are not known may keep records from being made.
        if (!whys.has(why) && (reason === 'setting' || this.#unknown === undefined)) this.#spans.good(why, at)
      }
  }

  /**
   * Rules that came and went between two looks: the source was told of more removals than rules are gone. Nobody knows what they were
   * about.
   */
  #findUnseen({ exclusionsRemoved }: AuditChanges, before: AuditState): void {
    const removed = exclusionsRemoved - this.#told.exclusionsRemoved
    if (removed <= 0) return
    const left = new Set(exclusions(this.#state?.rules ?? []))
    if (removed > exclusions(before.rules).filter((rule) => !left.has(rule)).length) this.#spans.bad(unseen)
  }

  #noteSwitch({ enabled }: AuditState): void {
    const before = this.#state?.enabled
    if (before === undefined || before === enabled || (before > 0 && enabled > 0)) return
    const message =
      enabled === 0
        ? 'the kernel’s audit was switched off: records of AppArmor and Seccomp are made all the same, but changes of audit rules are seen up to a minute late'
        : 'the kernel’s audit was switched on'
    this.#ports.notify({ level: 'info', code: 'audit-switched', message, context: {} })
  }

  #noteUnknown(thrown: unknown): void {
    const error = thrown instanceof AuditSourceError ? thrown : unexpected(thrown)
    const isNew = this.#unknown?.message !== error.message || this.#unknown.code !== error.code
    this.#unknown = error
    // Where there is no audit, the choice of the source says so.
    if (!isNew || error.code === 'AUDIT_OFF') return
    const message = `cannot ${error.message}: whether one of them keeps violations from being reported is not known`
    this.#ports.notify({
      ...{ level: 'warn', code: 'audit-rules-unknown', message },
      ...{ remedy: error.remedy, context: error.context },
    })
  }
}

const enforcerOf = (records: RecordKind): string => (records === 'D-Bus' ? 'AppArmor' : records)

/** Each rule whole: `ruleText` cuts long rules, and several may begin alike. */
const exclusions = (rules: readonly AuditRule[]): string[] =>
  rules.filter(({ list }) => list === 'exclude').map((rule) => JSON.stringify(rule))

const unexpected = (cause: unknown): AuditSourceError =>
  new AuditSourceError('SYSTEM', `read the rules of the kernel's audit (${cause})`, 'see the reason', {}, { cause })

/** Times of which something is missing, by reason, until they are said. All but what is said is by the monotonic clock. */
class Spans {
  readonly #clock: Clock
  /** Since when the kernel was not asked. */
  #begun: number
  /** When the last look began that has found nothing missing. */
  readonly #goodAt = new Map<string, number>()
  readonly #open = new Map<string, { from: number | undefined; saidAt: number | undefined }>()
  /** Times that have ended: of several, the beginning of the first. */
  readonly #ended = new Map<string, number | undefined>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#begun = clock.now()
  }

  begin(at: number): void {
    this.#begun = Math.min(this.#begun, at)
  }

  good(why: string, at: number): void {
    const span = this.#open.get(why)
    if (span !== undefined && !this.#ended.has(why)) this.#ended.set(why, span.from)
    this.#open.delete(why)
    this.#goodAt.set(why, at)
  }

  bad(why: string): void {
    if (!this.#open.has(why)) this.#open.set(why, { from: this.#goodAt.get(why), saidAt: undefined })
  }

  /** What is to be said now. @param all also of what lasts and was said a short while ago */
  take(all: boolean): { why: string; since: WallMs }[] {
    const now = this.#clock.now()
    const due = [...this.#ended].map(([why, from]) => this.#said(why, from))
    this.#ended.clear()
    for (const [why, span] of this.#open) {
      if (span.saidAt !== undefined && now - span.saidAt < sayEvery && !all) continue
      due.push(this.#said(why, span.from))
      Object.assign(span, { from: now, saidAt: now })
    }
    return due
  }

  #said(why: string, from = this.#begun): { why: string; since: WallMs } {
    return { why, since: asWall(this.#clock.wall() - Math.round(this.#clock.now() - from)) }
  }
}
