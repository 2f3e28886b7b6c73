import { randomBytes } from 'node:crypto'
import { type Clock, sleep, systemClock, type Timer } from '../base/clock.ts'
import { RecentMap } from '../base/recent-map.ts'
import { TokenBuckets } from '../base/token-bucket.ts'
import { isAlreadyExists, isNotFound } from './api-error.ts'
import type { ApiClient } from './client.ts'
import { events, type KubeEvent, microTime, type ObjectReference } from './resources.ts'
import { isUnclear } from './retry.ts'

/** An event for users of `kubectl describe`. */
export interface EventNote {
  regarding: ObjectReference
  related?: ObjectReference
  type: 'Normal' | 'Warning'
  /** The reason: one CamelCase word of at most 128 characters. */
  reason: string
  /** What we did: one CamelCase word of at most 128 characters. */
  action: string
  /** A sentence for users. A sentence of more than 1,024 bytes is cut. */
  note: string
}

/** Number of events that did not reach the server, by reason. */
export interface EventLoss {
  /** There were too many events about one object. */
  rateLimited: number
  /** Too many events were waiting. */
  queueFull: number
  /** The server refused the event, or could not be reached several times. */
  failed: number
  /** The event lacked a field, or was recorded after `stop`. This is a bug of the caller. */
  invalid: number
}

export interface EventRecorderOptions {
  client: ApiClient
  /** The name of the program, such as `varmor.org/manager`. */
  reportingController: string
  /** The name of the pod. */
  reportingInstance: string
  clock?: Clock
  observer?: { lost?(why: keyof EventLoss, error?: unknown): void }
  /**
   * Maximum new events that wait to be sent. In addition, each series of repeated events may have one waiting update.
   * Default 1,000.
   */
  bound?: number
  /**
   * Burst of new events about one object, and milliseconds until each further event. Defaults 25 and 300,000, as in
   * client-go.
   */
  burst?: number
  refill?: number
  /** Milliseconds between two updates of a series' count. Default 30,000. */
  seriesInterval?: number
}

/** Milliseconds. An event with the same key within this time continues the series, as in client-go. */
const SERIES_ENDS = 6 * 60_000
const KEYS = 4096
const ATTEMPTS = 3

interface Series {
  event: KubeEvent
  count: number
  lastAt: number
  /** Wall-clock time of the last event, as text. */
  lastObservedTime: string
  written: number
  queued: boolean
}

/**
 * Sends events in the background. A repeated event does not create an object: its count increases, and is written at
 * intervals. It never throws, does not make the caller wait, and counts lost events by reason.
 */
export class EventRecorder {
  readonly lost: EventLoss = { rateLimited: 0, queueFull: 0, failed: 0, invalid: 0 }
  #options: Required<Omit<EventRecorderOptions, 'observer'>> & Pick<EventRecorderOptions, 'observer'>
  #series: RecentMap<string, Series>
  #buckets: TokenBuckets
  #queue: Series[] = []
  #working: Promise<void> | undefined
  #timer: Timer | undefined
  #stop = new AbortController()

  constructor(options: EventRecorderOptions) {
    const defaults = { bound: 1000, burst: 25, refill: 300_000, seriesInterval: 30_000 }
    this.#options = { ...defaults, clock: systemClock, ...options }
    this.#buckets = new TokenBuckets(KEYS, this.#options)
    this.#series = new RecentMap(KEYS, (_, series) => this.#enqueueCount(series))
  }

  /** Number of events and of updates of series that wait to be sent. */
  get depth(): number {
    return this.#queue.length
  }

  record(note: EventNote): void {
    try {
      this.#record(note)
    } catch (error) {
      this.#lose('invalid', error)
    }
  }

  /** Sends waiting events for at most `within` milliseconds, and stops. The remaining events count as lost. */
  async stop(within = 5_000): Promise<void> {
    this.#timer?.cancel()
    for (const series of this.#series.values()) this.#enqueueCount(series)
    const { clock } = this.#options
    const limit = clock.after(within, () => this.#stop.abort(new Error('The event recorder was stopped')))
    await this.#working
    limit.cancel()
    this.#stop.abort(new Error('The event recorder was stopped'))
    this.#timer?.cancel()
  }

  #record(note: EventNote): void {
    checkNote(note)
    if (this.#stop.signal.aborted) throw new Error('The event recorder is stopped')
    const { clock } = this.#options
    const now = clock.now()
    const key = JSON.stringify([note.regarding, note.related, note.type, note.reason, note.action])
    const known = this.#series.get(key)
    if (known !== undefined && now - known.lastAt < SERIES_ENDS) {
      known.count++
      known.lastAt = now
      known.lastObservedTime = microTime(clock.wall())
      this.#arm()
      return
    }
    if (known !== undefined) this.#enqueueCount(known)
    if (!this.#buckets.of(JSON.stringify(note.regarding), now).take(now)) this.#lose('rateLimited')
    else if (this.#queue.length >= this.#options.bound) this.#lose('queueFull')
    else this.#begin(key, this.#event(note), now)
  }

  #begin(key: string, event: KubeEvent, now: number): void {
    const series = { event, count: 1, lastAt: now, lastObservedTime: event.eventTime, written: 0, queued: false }
    this.#series.set(key, series)
    this.#enqueue(series)
  }

  #event({ regarding, related, type, reason, action, note }: EventNote): KubeEvent {
    const { reportingController, reportingInstance, clock } = this.#options
    return {
      // 8 random bytes distinguish events about objects with the same name. A name has at most 253 characters.
      metadata: {
        name: `${(regarding.name ?? 'unnamed').slice(0, 230)}.${randomBytes(8).toString('hex')}`,
        namespace: regarding.namespace || 'default',
      },
      eventTime: microTime(clock.wall()),
      reportingController,
      reportingInstance: reportingInstance.slice(0, 128),
      action,
      reason,
      regarding,
      ...(related === undefined ? {} : { related }),
      note: cutBytes(note, 1024),
      type,
    }
  }

  #enqueueCount(series: Series): void {
    if (series.count > Math.max(1, series.written)) this.#enqueue(series)
  }

  #enqueue(series: Series): void {
    if (series.queued) return
    series.queued = true
    this.#queue.push(series)
    this.#startWork()
  }

  #startWork(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
      // More events may have arrived since the last check of the queue.
      if (this.#queue.length > 0) this.#startWork()
    })
  }

  /** One timer for all series whose count has changed. */
  #arm(): void {
    if (this.#timer !== undefined || this.#stop.signal.aborted) return
    const { clock, seriesInterval } = this.#options
    this.#timer = clock.after(seriesInterval, () => {
      this.#timer = undefined
      for (const series of this.#series.values()) this.#enqueueCount(series)
    })
  }

  async #work(): Promise<void> {
    for (let series = this.#queue.shift(); series !== undefined; series = this.#queue.shift()) {
      series.queued = false
      try {
        await this.#send(series)
      } catch (error) {
        this.#lose('failed', error)
      }
    }
  }

  async #send(series: Series): Promise<void> {
    const { clock, seriesInterval } = this.#options
    for (let attempt = 1; ; attempt++) {
      this.#stop.signal.throwIfAborted()
      try {
        return await this.#write(series)
      } catch (error) {
        // Each event has its own name, so AlreadyExists in a retry shows that an earlier attempt arrived.
        if (attempt > 1 && isAlreadyExists(error)) return
        if (attempt >= ATTEMPTS || !isUnclear(error)) throw error
        await sleep(clock, (seriesInterval / 10) * attempt, this.#stop.signal)
      }
    }
  }

  async #write(series: Series): Promise<void> {
    const { client } = this.#options
    const { event, count, lastObservedTime } = series
    const options = { class: 'event', signal: this.#stop.signal, deadline: 60_000 } as const
    const { name = '', namespace } = event.metadata
    const whole = count > 1 ? { ...event, series: { count, lastObservedTime } } : event
    // Set before the request, because the count may increase meanwhile and must be written later.
    const before = series.written
    series.written = count
    try {
      if (before === 0) await client.create(events, whole, options)
      else await this.#patchCount(whole, { name, namespace }, options)
    } catch (error) {
      series.written = before
      throw error
    }
  }

  /** Updates the count. By default the server deletes events after an hour; then the event is created again. */
  async #patchCount(
    event: KubeEvent,
    target: { name: string; namespace: string | undefined },
    options: { class: 'event'; signal: AbortSignal; deadline: number },
  ): Promise<void> {
    const { client } = this.#options
    try {
      await client.patch(events, target, { type: 'merge', patch: { series: event.series } }, options)
    } catch (error) {
      if (!isNotFound(error)) throw error
      await client.create(events, event, options)
    }
  }

  #lose(why: keyof EventLoss, error?: unknown): void {
    this.lost[why]++
    try {
      this.#options.observer?.lost?.(why, error)
    } catch (thrown) {
      process.emitWarning(`An observer of events threw: ${thrown}`)
    }
  }
}

function checkNote({ regarding, reason, action, type }: EventNote): void {
  if (!regarding?.name) throw new TypeError('An event needs regarding.name')
  for (const [field, text] of Object.entries({ reason, action }))
    if (typeof text !== 'string' || text === '' || text.length > 128)
      throw new TypeError(`An event needs a ${field} of 1 to 128 characters`)
  if (type !== 'Normal' && type !== 'Warning') throw new TypeError(`An event is Normal or Warning, not ${type}`)
}

/** Cuts a text to at most `max` bytes, at a character boundary. */
function cutBytes(text: string, max: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= max) return text
  return bytes
    .subarray(0, max - 3)
    .toString('utf8')
    .replace(/\uFFFD$/, '')
    .concat('…')
}
