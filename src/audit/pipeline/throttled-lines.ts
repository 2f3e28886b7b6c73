import { type Clock, isoTime, type WallMs } from '../../base/clock.ts'
import type { ContainerInfo } from '../enrich/snapshot.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { type ContainerFields, containerLine, noContainer } from '../sink/agent-events.ts'
import { type CountingLog, owe } from '../sink/owe.ts'
import type { AuditSource, HeldRecords } from '../source/source.ts'

export interface HeldLinesOptions {
  source: Pick<AuditSource, 'held' | 'noteHeld' | 'heldRate'>
  clock: Clock
  feed: SnapshotFeed
  /** The log that gets the lines. */
  sink: CountingLog
  /** Called when the source cannot note a report. The next agent then repeats the report. */
  onError?: (error: unknown) => void
}

/** Records that are being held back, and are not fully reported. */
interface Closed {
  container: ContainerFields
  /** Times of the first and the last check that found further held-back records. */
  from: WallMs
  to: WallMs
  /** Monotonic time of the last check that found further held-back records. */
  at: number
  /** Monotonic time since which no line has reported them. */
  since: number
  records: HeldRecords
}

/** Milliseconds without further held-back records after which a line reports the total. */
const quiet = 1_000
/** Milliseconds after which a line reports an intermediate count. */
const maxSilence = 60_000

/**
 * Reports what a source itself holds back, for each container: a line when it starts, and a line with the count after a
 * quiet time, even if the container has ended. The source notes each report, so no report is repeated.
 */
export class HeldLines {
  readonly #options: HeldLinesOptions
  /** By key. */
  readonly #closed = new Map<string, Closed>()
  /** Reported counts that the source has not noted yet, by key. */
  readonly #said = new Map<string, number>()
  readonly #noting = new Set<Promise<void>>()
  #lastLook: WallMs

  constructor(options: HeldLinesOptions) {
    this.#options = options
    this.#lastLook = options.clock.wall()
  }

  /** Keys of the containers whose records are being held back. */
  get holding(): Iterable<string> {
    return Array.from(this.#closed.values(), ({ records: { container } }) => `kernel ${container}`)
  }

  /** Number of reported counts that the source has not noted yet. */
  get unnoted(): number {
    return this.#said.size
  }

  /** Checks the source. @param all whether this is the last check, which reports all counts at once */
  poll(all = false): void {
    const { source, clock } = this.#options
    const now = clock.now()
    for (const records of source.held?.() ?? []) this.#take(records)
    this.#lastLook = clock.wall()
    for (const [key, closed] of this.#closed)
      if (all || now - closed.at >= quiet) this.#end(key, closed)
      else if (now - closed.since >= maxSilence) this.#goOn(key, closed)
  }

  /** Resolves when all reports are noted. */
  async close(): Promise<void> {
    while (this.#noting.size > 0) await Promise.all(this.#noting)
  }

  #take(records: HeldRecords): void {
    const { clock } = this.#options
    const found = { records, to: clock.wall(), at: clock.now() }
    const { key, held, noted } = records
    const closed = this.#closed.get(key)
    if (held <= (closed?.records.held ?? this.#said.get(key) ?? noted)) return
    if (closed !== undefined) {
      Object.assign(closed, found)
      return
    }
    const opened = { container: this.#fieldsOf(records.container), from: this.#lastLook, since: found.at, ...found }
    this.#closed.set(key, opened)
    this.#say('held back', opened, { rate: this.#options.source.heldRate })
  }

  #end(key: string, closed: Closed): void {
    this.#closed.delete(key)
    this.#say('held back ended', closed, this.#countsOf(key, closed))
  }

  /** Reports an intermediate count. */
  #goOn(key: string, closed: Closed): void {
    this.#say('held back', closed, { ...this.#countsOf(key, closed), rate: this.#options.source.heldRate })
    closed.from = closed.to
    closed.since = this.#options.clock.now()
  }

  /** The content of the line: the count since the last report, and its kind. */
  #countsOf(key: string, { records: { held, noted, operation, container }, to }: Closed): Record<string, unknown> {
    const events = held - (this.#said.get(key) ?? noted)
    this.#said.set(key, held)
    const profileName = this.#infoOf(container)?.profileName ?? ''
    const kinds = [{ enforcer: 'BPF', action: '', profileName, operation, object: '', events }]
    return { events, to: isoTime(to), kinds, other: 0 }
  }

  #say(
    message: 'held back' | 'held back ended',
    { container, from, records }: Closed,
    about: Record<string, unknown>,
  ): void {
    const { clock, feed, sink } = this.#options
    const heldBack = { where: 'kernel', operation: records.operation, from: isoTime(from), ...about }
    if ('events' in about) {
      const { key, held } = records
      const statement = { source: '', message, about: { heldBack }, container, kernel: { key, held } }
      owe(sink, feed, clock.wall(), statement, () => this.#note(records))
      return
    }
    const bytes = containerLine(feed, Math.floor(clock.wall() / 1_000), message, { heldBack }, container, 'warn')
    // The accounting does not include this line, because it was not read. A full queue drops it.
    sink.offer({ bytes, lines: 0, lossy: true, settle: () => undefined })
  }

  #note(records: HeldRecords): Promise<void> {
    const { source, onError = () => undefined } = this.#options
    const { key, held } = records
    const noting = (source.noteHeld?.(records) ?? Promise.resolve())
      .then(() => {
        if (this.#said.get(key) === held) this.#said.delete(key)
      }, onError)
      .finally(() => this.#noting.delete(noting))
    this.#noting.add(noting)
    return noting
  }

  /**
   * The container that has the number. If several have had it, this is the last: numbers are reused, and ended
   * containers are known for a while.
   */
  #infoOf(bpfNumber: number): ContainerInfo | undefined {
    let found: ContainerInfo | undefined
    for (const info of this.#options.feed.containers.values()) if (info.bpfNumber === bpfNumber) found = info
    return found
  }

  #fieldsOf(bpfNumber: number): ContainerFields {
    const { containerID, containerName, image, podName, podNamespace, podUID } = this.#infoOf(bpfNumber) ?? noContainer
    return { containerID, containerName, image, podName, podNamespace, podUID }
  }
}
