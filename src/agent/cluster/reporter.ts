import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import {
  type AgentReport,
  cutLeftOut,
  cutMessage,
  MAX_REPORT_BYTES,
  MAX_REPORT_PROFILES,
  type ProfileReport,
  type ReportAnswer,
} from '../../api/agent-report.ts'
import { Pause } from '../../audit/source/source.ts'
import { Backoff } from '../../base/backoff.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { Random } from '../../base/random.ts'

/** The result of sending a report. */
export type Reply =
  | { kind: 'answer'; answer: ReportAnswer }
  /** `retryAfter`: seconds. */
  | { kind: 'refused'; status: number; message: string; retryAfter?: number }
  | { kind: 'unreachable'; message: string }

/** Sends a report to a manager. Never rejects; an aborted report counts as unreachable. */
export type SendReport = (url: string, report: AgentReport, signal: AbortSignal) => Promise<Reply>

export interface ReporterOptions {
  node: string
  /** Id of this run of the agent. */
  agent: string
  /** Origins of managers, such as `https://varmor-status-svc.varmor:8080`. The first origin is tried first. */
  managers: readonly [string, ...string[]]
  send: SendReport
  /** Returns whether each ArmorProfile has a status. Before that, reports are incomplete. */
  whole(): boolean
  clock: Clock
  random: Random
  logger: Logger
  timing?: Partial<ReportTiming>
}

/** All in milliseconds. */
export interface ReportTiming {
  /** Changes are collected for a random time between these limits and sent in one report. Default 100 and 300. */
  coalesceLeast: number
  coalesceMost: number
  /** First and longest delay after a failure. Default 1,000 and 30,000. */
  backoffFirst: number
  backoffLongest: number
}

interface Entry {
  report: ProfileReport
  /** Whether a manager has received the report. */
  acknowledged: boolean
}

export const defaultReportTiming: ReportTiming = {
  coalesceLeast: 100,
  coalesceMost: 300,
  backoffFirst: 1_000,
  backoffLongest: 30_000,
}
/** All times are milliseconds. */
export const firstInterval = 15_000
const intervals = { least: 1_000, max: 300_000 }
const maxSpacing = 30_000

/**
 * Reports the status of each profile to the manager. It sends changes at once, and a heartbeat at intervals. It keeps
 * the newest status of each profile until a manager has acknowledged it, so that failures of managers or connections do
 * not lose a status.
 */
export class Reporter {
  readonly #options: ReporterOptions
  readonly #entries = new Map<string, Entry>()
  readonly #pause: Pause
  readonly #backoff: Backoff
  readonly #timing: ReportTiming
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #epoch = ''
  #complete = true
  /** Whether a manager has requested a complete report that could not be sent yet, because a profile had no status. */
  #owesComplete = false
  #manager = 0
  #interval = firstInterval
  /** Minimum milliseconds from one report to the next, and the time of the last answer. */
  #spacing = 0
  #answeredAt = Number.NEGATIVE_INFINITY
  #maxBody = MAX_REPORT_BYTES
  #failedInARow = 0

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#pause = new Pause(options.clock)
    this.#timing = { ...defaultReportTiming, ...options.timing }
    const { backoffFirst: first, backoffLongest: max } = this.#timing
    this.#backoff = new Backoff({ first, max, random: options.random })
  }

  /** Number of profiles whose newest status no manager has acknowledged. */
  get unacknowledged(): number {
    let count = 0
    for (const { acknowledged } of this.#entries.values()) if (!acknowledged) count++
    return count
  }

  set(standing: ProfileStatus): void {
    const report = reportOf(standing)
    const known = this.#entries.get(standing.key)
    if (known !== undefined && JSON.stringify(known.report) === JSON.stringify(report)) return
    this.#entries.set(standing.key, { report, acknowledged: false })
    this.#pause.wake()
  }

  /** Drops the status of a deleted ArmorProfile. */
  forget(key: string): void {
    this.#entries.delete(key)
    // All remaining profiles may have a status now, so a complete report may be possible.
    this.#pause.wake()
  }

  /** Called when all ArmorProfiles have a status. A requested complete report is then sent at once. */
  becameWhole(): void {
    this.#pause.wake()
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Stops. Resolves when no report is being sent any longer. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('The reporter was stopped'))
    this.#pause.wake()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const delay = await this.#round(signal)
      if (signal.aborted) return
      if (this.#failedInARow > 0) await this.#sleep(delay)
      else {
        await this.#waitForChange(delay)
        // Wait a moment, so that the report includes further changes.
        if (this.unacknowledged > 0 && !signal.aborted) await this.#sleep(this.#untilNext())
      }
    }
  }

  /**
   * Milliseconds until the next report. A short random pause collects changes. The pause is longer if the manager has
   * many agents and requests fewer reports.
   */
  #untilNext(): number {
    if (this.#spacing === 0) return this.#aMoment()
    const left = this.#answeredAt + this.#spacing * (0.8 + 0.4 * this.#options.random()) - this.#options.clock.now()
    return Math.max(this.#aMoment(), left)
  }

  async #waitForChange(delay: number): Promise<void> {
    const { clock } = this.#options
    const end = clock.now() + delay
    const isNews = (): boolean => this.unacknowledged > 0 || (this.#owesComplete && this.#options.whole())
    // Wait again if the change that ended the pause is already reported.
    do await this.#pause.wait(Math.max(0, end - clock.now()))
    while (!isNews() && clock.now() < end && !this.#stop.signal.aborted)
  }

  /** @returns milliseconds until the next round, unless a change happens before that */
  async #round(signal: AbortSignal): Promise<number> {
    const { send, managers, logger } = this.#options
    const { report, sent } = this.#next()
    const reply = await send(managers[this.#manager % managers.length]!, report, signal).catch((err): Reply => {
      logger.error({ err }, 'a bug in the agent: cannot send the report; retrying')
      return { kind: 'unreachable', message: `a bug in the agent: ${err}` }
    })
    if (signal.aborted) return 0
    if (reply.kind !== 'answer') return this.#failed(reply)
    this.#failedInARow = 0
    this.#backoff.reset()
    for (const entry of sent) entry.acknowledged = true
    return this.#answered(report, reply.answer)
  }

  #answered(report: AgentReport, { epoch, complete, intervalSeconds, spacingSeconds = 0 }: ReportAnswer): number {
    const isNew = epoch !== this.#epoch
    this.#epoch = epoch
    this.#complete = complete || (isNew && !report.complete)
    if (Number.isFinite(intervalSeconds))
      this.#interval = Math.min(intervals.max, Math.max(intervals.least, intervalSeconds * 1000))
    this.#answeredAt = this.#options.clock.now()
    this.#spacing = spacingSeconds > 0 ? Math.min(maxSpacing, spacingSeconds * 1000) : 0
    // If a manager keeps requesting complete reports, it gets them only at intervals.
    this.#owesComplete = this.#complete && !report.complete
    if (this.unacknowledged > 0) return 0
    if (this.#owesComplete && this.#options.whole()) return this.#aMoment()
    return this.#interval * (0.7 + 0.3 * this.#options.random())
  }

  #failed(reply: Exclude<Reply, { kind: 'answer' }>): number {
    const { managers, logger } = this.#options
    const url = managers[this.#manager % managers.length]
    this.#failedInARow++
    const elsewhere = reply.kind === 'unreachable' || reply.status >= 500
    if (elsewhere) this.#manager++
    const lasting = reply.kind === 'refused' && !elsewhere && reply.status !== 429
    // Log a temporary failure only once, not at each try. Log an error that an operator must solve at each try.
    if (this.#failedInARow === managers.length + 1 || lasting)
      logger.warn(
        {
          ...{ url, reason: reply.message, unacknowledged: this.unacknowledged },
          ...(reply.kind === 'refused' && { code: reply.status }),
        },
        'the manager does not accept reports; retrying',
      )
    if (reply.kind === 'refused' && reply.status === 413) this.#maxBody = Math.max(65_536, this.#maxBody >> 1)
    const after = reply.kind === 'refused' ? (reply.retryAfter ?? 0) * 1000 : 0
    // Another manager may be the leader, so try each manager once, without backoff.
    if (elsewhere && this.#failedInARow < managers.length) return Math.max(after, this.#aMoment())
    return Math.max(after, this.#backoff.next())
  }

  #next(): { report: AgentReport; sent: Entry[] } {
    const { node, agent, whole } = this.#options
    const complete = this.#complete && whole()
    const all = [...this.#entries.values()]
    const due = complete ? all : all.filter(({ acknowledged }) => !acknowledged)
    const head = { node, agent, epoch: this.#epoch, complete }
    const { taken, profiles } = fitting(due, this.#maxBody - 1024, complete)
    return { report: { ...head, profiles }, sent: taken }
  }

  #aMoment(): number {
    const { coalesceLeast: least, coalesceMost: max } = this.#timing
    return least + (max - least) * this.#options.random()
  }

  #sleep(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#stop
      const end = (): void => {
        timer.cancel()
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = this.#options.clock.after(delay, end)
      signal.addEventListener('abort', end)
    })
  }
}

function reportOf({ key, uid, generation, state, enforcers, absent, message, leftOut }: ProfileStatus): ProfileReport {
  const slash = key.indexOf('/')
  return {
    namespace: key.slice(0, slash),
    name: key.slice(slash + 1),
    uid,
    generation,
    state,
    ...(enforcers.length > 0 && { enforcers: [...enforcers] }),
    ...(absent !== undefined && { absent: [...absent] }),
    ...(message !== undefined && { message: cutMessage(message) }),
    ...(leftOut !== undefined && { leftOut: cutLeftOut(leftOut) }),
  }
}

/**
 * Lengths to which messages are cut until a complete report fits, because it cannot be split. With length 0, it also
 * names only one left-out rule of each profile.
 */
const messageLengths = [Number.POSITIVE_INFINITY, 200, 0]

function fitting(
  due: readonly Entry[],
  room: number,
  complete: boolean,
): { taken: Entry[]; profiles: ProfileReport[] } {
  if (complete)
    for (const length of messageLengths) {
      const profiles = due.map(({ report, acknowledged }) => ({
        ...shortened(report, length),
        ...(!acknowledged && { changed: true }),
      }))
      if (length === 0 || sizeOf(profiles) <= room) return { taken: [...due], profiles }
    }
  const taken: Entry[] = []
  let size = 0
  for (const entry of due) {
    size += sizeOf(entry.report) + 1
    if (taken.length > 0 && (size > room || taken.length === MAX_REPORT_PROFILES)) break
    taken.push(entry)
  }
  return { taken, profiles: taken.map(({ report }) => report) }
}

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

function shortened(report: ProfileReport, length: number): ProfileReport {
  const { message = '', leftOut = [] } = report
  const isCut = message.length > length
  const rest = length === 0 && leftOut.length > 0 ? { leftOut: cutLeftOut(leftOut, 1) } : {}
  return { ...report, ...(isCut && { message: Array.from(message).slice(0, length).join('') }), ...rest }
}
