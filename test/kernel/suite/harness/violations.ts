import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { bootOf } from '../../../../src/agent/lifecycle/boot.ts'
import type { Lineage } from '../../../../src/agent/violations/lineage.ts'
import { startViolationPipeline, type ViolationPipeline } from '../../../../src/agent/violations/violation-pipeline.ts'
import type { ContainerInfo, PolicyIdentity } from '../../../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed } from '../../../../src/audit/enrich/snapshot-feed.ts'
import type { Recorded } from '../../../../src/audit/model/recorded.ts'
import { type Logger, noLogger } from '../../../../src/base/logger.ts'
import { checkLine } from '../../../audit/check-line.ts'

/** A line of violations.log. */
export type Violation = Record<string, unknown> & { event: Record<string, unknown> }

export const nodeName = 'guest'
export const metadata = { cluster: 'kernel-tier' }

/** The agent's event pipeline in this process: from the kernel's multicast to the lines of its log. */
export class Violations {
  readonly #pipeline: ViolationPipeline
  readonly #feed: SnapshotFeed
  readonly #folder: string
  readonly #lines: Violation[] = []
  #log: number | undefined
  /** Bytes of the log after its last complete line. */
  #rest: Buffer = Buffer.alloc(0)

  private constructor(pipeline: ViolationPipeline, feed: SnapshotFeed, folder: string) {
    this.#pipeline = pipeline
    this.#feed = feed
    this.#folder = folder
  }

  /**
   * Resolves when the pipeline reads its sources.
   * @param ring path of the BPF programs' pinned ring, if BPF is in force
   * @param onRecorded receives the recorded operations of workloads whose policies model behaviour
   * @param lineage knows which process forked which; without it a process must still exist when its record is read
   */
  static async start(
    containers: readonly ContainerInfo[],
    policies: readonly PolicyIdentity[],
    ring?: () => string,
    onRecorded?: (recorded: readonly Recorded[]) => void,
    lineage?: Lineage,
  ): Promise<Violations> {
    const folder = mkdtempSync(join(tmpdir(), 'violations-'))
    const feed = new SnapshotFeed({ version: 1, nodeName, metadata, ...bootOf('/proc'), containers, policies })
    const log = join(folder, 'violations.log')
    const pipeline = await startViolationPipeline({
      feed,
      log,
      request: { kind: 'multicast' },
      ...(ring !== undefined && { ring }),
      ...(onRecorded !== undefined && { onRecorded }),
      ...(lineage !== undefined && { lineage }),
      fromStart: false,
      workers: 1,
      logger,
    })
    if ('why' in pipeline) throw new Error(`the kernel's audit multicast cannot be read: ${pipeline.why}`)
    return new Violations(pipeline, feed, folder)
  }

  /** Adds containers and policies to the pipeline's data. */
  expect(containers: readonly ContainerInfo[], policies: readonly PolicyIdentity[] = []): void {
    this.#feed.update({ containers, policies })
  }

  /**
   * All lines of the log so far. Only new bytes are read, because tests poll fifty times a second on an emulated CPU.
   */
  get all(): Violation[] {
    const path = join(this.#folder, 'violations.log')
    if (!existsSync(path)) return []
    this.#log ??= openSync(path, 'r')
    const chunk = Buffer.alloc(65_536)
    for (;;) {
      const length = readSync(this.#log, chunk)
      if (length === 0) break
      this.#rest = Buffer.concat([this.#rest, chunk.subarray(0, length)])
    }
    const end = this.#rest.lastIndexOf(10) + 1
    const lines = this.#rest.toString('utf8', 0, end).split('\n').slice(0, -1)
    this.#lines.push(...lines.map((line) => checkLine(line) as Violation))
    this.#rest = this.#rest.subarray(end)
    return this.#lines
  }

  /** The lines after the first `seen`, once `enough` (a number or a test) is met, or after `within` ms. */
  async after(
    seen: number,
    enough: number | ((found: readonly Violation[]) => boolean),
    within = 120_000,
  ): Promise<Violation[]> {
    const isEnough = typeof enough === 'number' ? (found: readonly Violation[]) => found.length >= enough : enough
    const end = performance.now() + within
    for (;;) {
      const found = this.all.slice(seen)
      if (isEnough(found) || performance.now() > end) return found
      await pause(20)
    }
  }

  async stop(): Promise<void> {
    this.#pipeline.stop()
    await this.#pipeline.ended
    if (this.#log !== undefined) closeSync(this.#log)
    rmSync(this.#folder, { recursive: true })
  }
}

/** Warnings and errors of the agent, printed with the results. */
const logger = {
  ...noLogger,
  warn: (fields: object, message: string) => console.warn(message, fields),
  error: (fields: object, message: string) => console.error(message, fields),
} satisfies Logger
