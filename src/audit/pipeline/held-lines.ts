import { type Clock, isoTime, type WallMs } from '../../base/clock.ts'
import type { ContainerInfo } from '../enrich/snapshot.ts'
import type { SnapshotFeed } from '../enrich/snapshot-feed.ts'
import { type ContainerFields, containerLine, noContainer } from '../sink/own-lines.ts'
import type { Sink } from '../sink/sink.ts'
import type { AuditSource, HeldRecords } from '../source/source.ts'

export interface HeldLinesOptions {
  source: Pick<AuditSource, 'held' | 'noteHeld' | 'heldRate'>
  clock: Clock
  feed: SnapshotFeed
  /** The log, which gets the lines. */
  sink: Pick<Sink, 'offer'>
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
  records: HeldRecords
}

/** Milliseconds without anything more, after which it is said how much it was. */
const quiet = 1_000

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
    for (const [key, closed] of this.#closed) if (all || now - closed.at >= quiet) this.#end(key, closed)
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
    const opened = { container: this.#fieldsOf(records.container), from: this.#lastLook, ...found }
    this.#closed.set(key, opened)
    this.#say('held back', opened, { rate: this.#options.source.heldRate })
  }

  #end(key: string, closed: Closed): void {
    this.#closed.delete(key)
    const { held, noted, operation } = closed.records
    const events = held - (this.#said.get(key) ?? noted)
    this.#said.set(key, held)
    const profileName = this.#infoOf(closed.records.container)?.profileName ?? ''
    const kinds = [{ enforcer: 'BPF', action: '', profileName, operation, object: '', events }]
    this.#say('held back ended', closed, { events, to: isoTime(closed.to), kinds, other: 0 })
  }

  #say(message: string, { container, from, records }: Closed, about: Record<string, unknown>): void {
    const { clock, feed, sink } = this.#options
    const heldBack = { where: 'kernel', operation: records.operation, from: isoTime(from), ...about }
    const bytes = containerLine(feed, Math.floor(clock.wall() / 1_000), message, { heldBack }, container, 'warn')
    const settle = ({ reason }: { reason?: string }): void => {
      if (reason === undefined && 'events' in about) this.#note(records)
    }
    // A line of ours, which nobody has read: the accounting does not have it.
    sink.offer({ bytes, lines: 0, lossy: false, settle })
  }

  #note(records: HeldRecords): void {
    const { source, onError = () => undefined } = this.#options
    const noting = (source.noteHeld?.(records) ?? Promise.resolve())
      .catch(onError)
      .finally(() => this.#noting.delete(noting))
    this.#noting.add(noting)
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
