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
  /** Reads the state of the kernel's audit system. @throws AuditSourceError if this is not permitted */
  ask: () => Promise<AuditState>
  read: ReadSetting
  clock: Clock
  notify: Notify
}

/** Number of changes of the audit system's settings and rules that a source has seen since its start. */
export interface AuditChanges {
  all: number
  /** Number of changes that removed a rule from the list `exclude`. */
  exclusionsRemoved: number
}

/** The log of violations in use, and facts about its source. */
export interface WatchedLog {
  lost: (loss: Loss) => void
  /** Milliseconds since an earlier agent last read the log's source. */
  seenAgo?: number | undefined
  /** Absent if the source does not see changes of the audit system. */
  changes?: () => AuditChanges
}

/** Milliseconds between two checks for a change. */
const tick = 1_000
/** Number of ticks after which the kernel is asked, even without a known change. */
const ticksOfQuiet = 60
/**
 * Milliseconds after which a continuing silence is reported again. After a kill, the next agent reports the time since
 * the last report.
 */
const sayEvery = 600_000

const unseen = 'excluded-unseen'

/**
 * Checks whether the kernel creates the records of violations. An audit rule or a setting can suppress records in all
 * logs, and the kernel does not count suppressed records. The checks run at the start, each minute, and a second after
 * a change that the source sees.
 */
export class SilenceWatch {
  readonly #ports: SilencePorts
  readonly #spans: Spans
  #log: WatchedLog | undefined
  #told: AuditChanges = { all: 0, exclusionsRemoved: 0 }
  #state: AuditState | undefined
  /** The reason why the current state is unknown; undefined if the state is known. */
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

  /** Records that the kernel certainly does not create. */
  get silences(): readonly Silence[] {
    return this.#silences
  }

  /** The kernel's audit switch: 0 off, 1 on, 2 on and locked. undefined while unknown. */
  get enabled(): number | undefined {
    return this.#unknown === undefined ? this.#state?.enabled : undefined
  }

  /** The reason why violations are not reported, for readiness; undefined if no silence is known. */
  get unreported(): NoSource | undefined {
    if (this.#silences.length === 0) return undefined
    const all = (text: (silence: Silence) => string): string => [...new Set(this.#silences.map(text))].join('; ')
    return { why: all(({ why }) => why), remedy: all(({ remedy }) => remedy) }
  }

  /** Values of a metric: 1 if records of a kind are not created, or if this is unknown. */
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

  /** Resolves after the first check. */
  async start(): Promise<void> {
    await this.#poll()
    this.#wait()
  }

  /** Sends reports to this log from now on, in place of the log of an earlier pipeline. */
  attach(log: WatchedLog): void {
    const { clock } = this.#ports
    this.#log = log
    // The source has not seen earlier changes, so check again soon.
    this.#told = { all: -1, exclusionsRemoved: log.changes?.().exclusionsRemoved ?? 0 }
    if (log.seenAgo !== undefined) this.#spans.begin(clock.now() - log.seenAgo - sayEvery)
    this.#say()
  }

  /**
   * Stops writing to the log. @param last whether to report once more, because another pipeline does not follow soon
   */
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
      else void this.#poll().then(() => this.#wait())
    })
  }

  async #poll(): Promise<void> {
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
        const message = `the kernel writes ${records} records again (cause before: ${reason})`
        notify({ level: 'info', code: 'audit-silence-ended', message, context: { enforcer: enforcerOf(records) } })
      }
    const whys = new Set(silences.map(lossReason))
    for (const why of whys) this.#spans.bad(why)
    for (const records of recordKinds)
      for (const reason of ['rule', 'setting'] as const) {
        const why = lossReason({ records, reason })
        // While the rules are unknown, they may suppress records.
        if (!whys.has(why) && (reason === 'setting' || this.#unknown === undefined)) this.#spans.good(why, at)
      }
  }

  /**
   * Finds out whether rules existed only between two checks: then the source saw more removals than known rules have
   * disappeared. The content of such rules is unknown.
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
        ? 'the kernel’s audit system was turned off: AppArmor and Seccomp still write records, but the agent notices changed audit rules up to a minute late'
        : 'the kernel’s audit system was turned on'
    this.#ports.notify({ level: 'info', code: 'audit-switched', message, context: {} })
  }

  #noteUnknown(thrown: unknown): void {
    const error = thrown instanceof AuditSourceError ? thrown : unexpected(thrown)
    const isNew = this.#unknown?.message !== error.message || this.#unknown.code !== error.code
    this.#unknown = error
    // chooseSource() has already reported that the audit system is off.
    if (!isNew || error.code === 'AUDIT_OFF') return
    const message = `cannot ${error.message}: an audit rule may hide violations without notice`
    this.#ports.notify({
      ...{ level: 'warn', code: 'audit-rules-unknown', message },
      ...{ remedy: error.remedy, context: error.context },
    })
  }
}

const enforcerOf = (records: RecordKind): string => (records === 'D-Bus' ? 'AppArmor' : records)

/**
 * The full text of each rule. Not `ruleText`, which cuts long rules, so that different rules may have the same text.
 */
const exclusions = (rules: readonly AuditRule[]): string[] =>
  rules.filter(({ list }) => list === 'exclude').map((rule) => JSON.stringify(rule))

const unexpected = (cause: unknown): AuditSourceError =>
  new AuditSourceError('SYSTEM', `read the rules of the kernel's audit (${cause})`, 'see the reason', {}, { cause })

/**
 * The times in which records were missing, by reason, until they are reported. The times are monotonic; the reports
 * have wall-clock times.
 */
class Spans {
  readonly #clock: Clock
  /** Since when the state is unknown, while no check has succeeded. */
  #unknownSince: number
  /** For each reason, the start of the last check that did not find missing records. */
  readonly #goodAt = new Map<string, number>()
  readonly #open = new Map<string, { from: number | undefined; saidAt: number | undefined }>()
  /** For each reason, the start of the first unreported time that has ended. */
  readonly #ended = new Map<string, number | undefined>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#unknownSince = clock.now()
  }

  begin(at: number): void {
    this.#unknownSince = Math.min(this.#unknownSince, at)
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

  /** Returns the reports that are due. @param all whether to include continuing times that were reported recently */
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

  #said(why: string, from = this.#unknownSince): { why: string; since: WallMs } {
    return { why, since: asWall(this.#clock.wall() - Math.round(this.#clock.now() - from)) }
  }
}
