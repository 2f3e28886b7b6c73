import { type Clock, isoTime, type WallMs } from '../../base/clock.ts'
import type { ContainerInfo } from '../enrich/snapshot.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { type CountingLog, owe } from '../sink/owe.ts'
import { type ContainerFields, containerLine, noContainer } from '../sink/own-lines.ts'
import type { AuditSource, HeldRecords } from '../source/source.ts'

export interface HeldLinesOptions {
  source: Pick<AuditSource, 'held' | 'noteHeld' | 'heldRate'>
  clock: Clock
  feed: SnapshotFeed
  /** The log, which gets the lines. */
  sink: CountingLog
  /** Called when what was said cannot be noted: the agent that comes next says it again. */
  onError?: (error: unknown) => void
}

/** What is held back and was not said yet. */
interface Closed {
  container: ContainerFields
  /** Of the first and the last look that found more. */
  from: WallMs
  to: WallMs
  /** When the last look found more, by the monotonic clock. */
  at: number
  /** Since when nothing is said of it, by the monotonic clock. */
  since: number
  records: HeldRecords
}

/** Milliseconds without anything more, after which it is said how much it was. */
const quiet = 1_000
/** Milliseconds after which it is said how much it was so far. */
const longestSilence = 60_000

/**
 * Says what a source holds back before it gets here, and of whom: when that begins, and how many records it was when there were no more
 * of them for a while. Whether the container lives on does not matter. What was said is noted by the source, so that it is said once.
 */
export class HeldLines {
  readonly #options: HeldLinesOptions
  /** By their keys. */
  readonly #closed = new Map<string, Closed>()
  /** By keys, how many were said. */
  readonly #said = new Map<string, number>()
  readonly #noting = new Set<Promise<void>>()
  #lastLook: WallMs

  constructor(options: HeldLinesOptions) {
    this.#options = options
    this.#lastLook = options.clock.wall()
  }

  /** Containers of which something is held back now. */
  get holding(): Iterable<string> {
    return Array.from(this.#closed.values(), ({ records: { container } }) => `kernel ${container}`)
  }

  /** @param all nobody looks again: what is not said yet is said, too */
  look(all = false): void {
    const { source, clock } = this.#options
    const now = clock.now()
    for (const records of source.held?.() ?? []) this.#take(records)
    this.#lastLook = clock.wall()
    for (const [key, closed] of this.#closed)
      if (all || now - closed.at >= quiet) this.#end(key, closed)
      else if (now - closed.since >= longestSilence) this.#goOn(key, closed)
  }

  /** Says all that is left. Resolves, once the log has taken it, when that is noted. */
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

  /** There is no end to it yet. */
  #goOn(key: string, closed: Closed): void {
    this.#say('held back', closed, { ...this.#countsOf(key, closed), rate: this.#options.source.heldRate })
    closed.from = closed.to
    closed.since = this.#options.clock.now()
  }

  /** What is said of it now, and was not said before. */
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
    // A line of ours, which nobody has read: the accounting does not have it.
    sink.offer({ bytes, lines: 0, lossy: false, settle: () => undefined })
  }

  #note(records: HeldRecords): Promise<void> {
    const { source, onError = () => undefined } = this.#options
    const noting = (source.noteHeld?.(records) ?? Promise.resolve())
      .catch(onError)
      .finally(() => this.#noting.delete(noting))
    this.#noting.add(noting)
    return noting
  }

  /** The last one counts: a number may come again, and containers that have ended are known for a while. */
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
