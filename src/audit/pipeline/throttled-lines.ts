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
  /** Called when the source cannot store that a count was reported. The next agent then reports the count again. */
  onError?: (error: unknown) => void
}

/** The records of one key that the source holds back, from the first line about them to the last. */
interface Closed {
  container: ContainerFields
  /** Start and end of the time that the next line covers. */
  from: WallMs
  to: WallMs
  /** Monotonic time of the last check that found further held-back records. */
  at: number
  /** Monotonic time since which no line has reported them. */
  since: number
  records: HeldRecords
}

/** Milliseconds without further held-back records after which the last line reports the count. */
const quiet = 1_000
/** Milliseconds after which a line reports an intermediate count. */
const maxSilence = 60_000

/**
 * Reports the records that a source holds back, for each container. A line reports the start. After a quiet time,
 * another line reports the count, even if the container has ended. The source stores each reported count, so the next
 * agent does not repeat it.
 */
export class HeldLines {
  readonly #options: HeldLinesOptions
  /** By the key of the source's records. */
  readonly #closed = new Map<string, Closed>()
  /** Reported counts that the source has not stored yet, by key. */
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

  /** Number of reported counts that the source has not stored yet. */
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

  /** Resolves when the source has stored all reported counts. */
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

  /** The fields of a line: the number of records since the last report, and their kind. */
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
    // `lines: 0`, because the accounting counts only lines of records. A full queue drops this line.
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
   * The last container with this number. Several containers may have it, because numbers are reused and the feed keeps
   * ended containers for a while.
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
