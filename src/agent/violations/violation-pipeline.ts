import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { SnapshotFeed } from '../../audit/enrich/snapshot-feed.ts'
import type { Recorded } from '../../audit/model/recorded.ts'
import { Pipeline, type PipelineSource } from '../../audit/pipeline/pipeline.ts'
import { DecodePool } from '../../audit/pool/decode-pool.ts'
import type { ProcessLog } from '../../audit/pool/process-log.ts'
import type { Statement } from '../../audit/sink/agent-events.ts'
import { LossLog } from '../../audit/sink/loss-log.ts'
import type { Loss } from '../../audit/sink/loss-tally.ts'
import { countsLeft } from '../../audit/sink/unsaid.ts'
import { readAuditState } from '../../audit/source/audit-addon.ts'
import { AuditSourceError } from '../../audit/source/audit-source-error.ts'
import { BpfRingSource } from '../../audit/source/bpf-ring.ts'
import { Checkpoint, type Left } from '../../audit/source/checkpoint.ts'
import type { NoSource, SourceKind, SourceRequest } from '../../audit/source/choose-source.ts'
import type { MulticastStats } from '../../audit/source/multicast.ts'
import { openAuditSource } from '../../audit/source/open-source.ts'
import { SilenceWatch, type WatchedLog } from '../../audit/source/silence-watch.ts'
import type { AuditSource, Notify } from '../../audit/source/source.ts'
import { type FindWritten, findLines, findWritten, WrittenRecords } from '../../audit/source/written-records.ts'
import { mebibyte } from '../../base/bytes.ts'
import { systemClock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import { nodeRoot } from '../../enforcer/node-root.ts'
import type { Lineage } from './lineage.ts'
import { runUntilReplaced, type ViolationPipeline } from './pipeline-restart.ts'
import { countsOf, ViolationCounts } from './violation-counts.ts'
import { type LogLimits, openLogs, type ViolationLogs } from './violation-logs.ts'

export interface ViolationPipelineOptions {
  /** Known containers and policies of the node. Other parts of the agent update it. */
  feed: SnapshotFeed
  /** Containers of processes, from other sources than /proc. Other parts of the agent update it. */
  seenProcesses?: ProcessLog
  /** Parents of processes. The caller closes it after the pipeline has ended. */
  lineage?: Lineage
  /**
   * Watches for settings with which the kernel does not make records. The caller closes it. The pipeline logs its
   * changes.
   */
  silence?: SilenceWatch
  /** Counts of previous pipelines. Default: none. */
  counts?: ViolationCounts
  /** The log of violations. */
  log: string
  /** Limits of the log and of its digest. */
  limits?: LogLimits
  request: SourceRequest
  /**
   * Returns the folder with the pinned ring of the BPF programs, while these programs are attached. The ring is read in
   * addition to the audit source.
   */
  ring?: (() => string) | undefined
  /** Returns the rings of other builds' programs. The first pipeline reads them to their end; see `openRingsBeside`. */
  ringsBeside?: () => BpfRingSource[]
  /** Maximum records per second that the BPF programs write for each container and kind. Default: no limit. */
  heldRate?: number | undefined
  /** File that stores how far each source was read. Without it, a restart begins with new records. */
  checkpoint?: string
  /** Whether the first start also reads the existing records of the audit log. */
  fromStart: boolean
  workers?: number
  /**
   * Whether to log records that a process sent as if they were the kernel's. They are logged as violations of that
   * process. Default false.
   */
  logUntrusted?: boolean
  /** Receives the records of workloads whose policies model behaviour. */
  onRecorded?: (recorded: readonly Recorded[]) => void
  /** Called with each loss of records or of lines. */
  onLoss?: (loss: Loss) => void
  logger: Logger
  procRoot?: string
}

export type { ViolationPipeline }

/**
 * Starts the pipeline.
 * @returns the pipeline, or the reason if no audit source can be used; the reason is also logged
 */
export function startViolationPipeline(options: ViolationPipelineOptions): Promise<ViolationPipeline | NoSource> {
  return runUntilReplaced(() => startOnce(options), options.logger)
}

async function startOnce(options: ViolationPipelineOptions): Promise<ViolationPipeline | NoSource> {
  const { onLoss } = options
  const losses = new LossLog({ clock: systemClock, logger: options.logger, ...(onLoss !== undefined && { onLoss }) })
  const started = linesAfterBegin(losses)
  const source = await openSources(options, losses)
  if ('why' in source) return source
  const watched = watchedLog(source, losses)
  const pool = newPool(options)
  const { counts = new ViolationCounts(options.feed), log, limits = {}, logger, feed: writer } = options
  const logs = await openLogs({ log, limits, writer, losses, logger })
  const close = async (): Promise<void> => {
    options.silence?.detach(watched, false)
    counts.end()
    await pool.close()
    for (const { source: one } of source.sources) await one.close()
    await logs.close()
  }
  try {
    const pipeline = await newPipeline({ ...options, counts }, source, { pool, logs })
    started()
    for (const statement of source.owed) losses.unsaid.owe(statement)
    counts.begin({
      source: source.audit?.kind,
      counts: () => countsOf(pipeline, pool),
      queues: () => pipeline.queues,
      holding: () => pipeline.holding,
    })
    if (source.audit !== undefined) options.silence?.attach(watched)
    return {
      source: source.sources.map(({ source: { name } }) => name).join(', '),
      none: source.none,
      status: () => ({ ...statusOf(pipeline), ...(options.lineage && { lineage: options.lineage.status }) }),
      stop: () => {
        options.silence?.detach(watched, true)
        pipeline.stop()
      },
      ended: pipeline.run().finally(close),
    }
  } catch (error) {
    losses.beforeLines = async () => undefined
    started()
    await close()
    logs.sink.hurry(0)
    await logs.sink.close()
    throw error
  }
}

/**
 * Delays lines about counts until the pipeline runs, because the pipeline must store a count before its line is
 * written.
 * @returns a function to call when the pipeline runs
 */
function linesAfterBegin(losses: LossLog): () => void {
  let started: () => void = () => undefined
  const beginning = new Promise<void>((resolve) => {
    started = resolve
  })
  losses.beforeLines = async (statements) => {
    await beginning
    await losses.beforeLines(statements)
  }
  return () => started()
}

/**
 * Larger batches cost less (npm run bench:pipeline). After a crash, at most the lines of one batch are written twice.
 */
const chunkBytes = mebibyte

/** Checks whether the kernel creates the records of violations. */
export const silenceWatch = (logger: Logger): SilenceWatch =>
  new SilenceWatch({
    ask: readAuditState,
    read: nodeRoot().read,
    clock: systemClock,
    notify: notifyBy(logger),
  })

/** Only the multicast source gets reports about changes of the kernel's rules. */
function watchedLog({ audit }: Opened, losses: LossLog): WatchedLog {
  const lost = (loss: Loss): void => losses.note(loss)
  if (audit?.kind !== 'multicast') return { lost, seenAgo: audit?.seenAgo }
  const changes = () => {
    const { configChanges, exclusionsRemoved } = audit.audit.stats() as MulticastStats
    return { all: configChanges, exclusionsRemoved }
  }
  return { lost, seenAgo: audit.seenAgo, changes }
}

interface OpenedAudit {
  audit: AuditSource
  /** Milliseconds since a previous agent stored its position. */
  seenAgo: number | undefined
  kind: SourceKind
  waits: boolean
  checkpoint: Checkpoint | undefined
}

interface Opened {
  audit?: OpenedAudit
  /** Why there is no audit source. */
  none?: NoSource
  sources: PipelineSource[]
  checkpoint: Checkpoint | undefined
  /** Counts of previous agents that are not in the log yet. */
  owed: readonly Statement[]
}

/** Opens the audit source and the ring of the BPF programs. Each works without the other. */
async function openSources(options: ViolationPipelineOptions, losses: LossLog): Promise<Opened | NoSource> {
  const { checkpoint: path } = options
  // Ignore errors here: they are reported when the checkpoint is written.
  if (path !== undefined) await mkdir(dirname(path), { recursive: true, mode: 0o750 }).catch(() => undefined)
  const checkpoint = checkpointOf(options)
  const { counts, places } = (await checkpoint?.left()) ?? nothingLeft
  const { owed, noted } = countsLeft(counts, await writtenLines(options, counts))
  const ring = openRing(options, places)
  const opened = [...(options.ringsBeside?.() ?? []), ...(ring === undefined ? [] : [ring])]
  for (const said of noted) for (const source of opened) await source.noteHeldBefore(said)
  const left = (): Left => ({ counts: [...owed, ...losses.unsaidOf('')], places })
  const audit = await openAudit(options, { losses, checkpoint, left })
  const rings = opened.map(
    (source): PipelineSource => ({
      source,
      pressure: 'waits',
      written: (position, mark) => source.written(position, mark),
    }),
  )
  if (!('why' in audit)) return { audit, sources: [pipelineSource(audit), ...rings], checkpoint, owed }
  return rings.length === 0 ? audit : { none: audit, sources: rings, checkpoint, owed }
}

const nothingLeft: Left = { counts: [], places: {} }

function checkpointOf({
  checkpoint: path,
  logger,
}: Pick<ViolationPipelineOptions, 'checkpoint' | 'logger'>): Checkpoint | undefined {
  return path === undefined ? undefined : new Checkpoint(path, { notify: notifyBy(logger) })
}

const notifyBy =
  (logger: Logger): Notify =>
  ({ level, message, code, remedy, context }) =>
    logger[level]({ code, remedy, ...context }, message)

/** Finds the counts that are already in the log. */
async function writtenLines(
  { log, logger }: ViolationPipelineOptions,
  counts: readonly Statement[],
): Promise<Set<string>> {
  const ids = new Set(counts.flatMap(({ id }) => id ?? []))
  try {
    return ids.size === 0 ? ids : await findLines(log, ids)
  } catch (error) {
    const said = 'cannot read the end of the log; some counts may appear twice'
    logger.warn({ file: log, reason: String(error) }, said)
    return new Set()
  }
}

/**
 * Opens the rings of other builds' programs before these programs are removed, because their unread records are only
 * there. A ring ends when its programs are removed and all its records are read.
 * @param beside folders of the programs that are still attached
 */
export async function openRingsBeside(
  options: Pick<ViolationPipelineOptions, 'log' | 'feed' | 'heldRate' | 'checkpoint' | 'logger'>,
  beside: () => readonly string[],
): Promise<BpfRingSource[]> {
  const { places } = (await checkpointOf(options)?.left()) ?? nothingLeft
  return beside().flatMap((folder) => {
    const ring = openRing({ ...options, ring: () => (beside().includes(folder) ? folder : undefined) }, places)
    return ring ?? []
  })
}

type RingOf = Pick<ViolationPipelineOptions, 'log' | 'feed' | 'heldRate' | 'logger'> & {
  ring?: (() => string | undefined) | undefined
}

/** Opens the ring. If this fails, violations of AppArmor and Seccomp are still reported. */
function openRing(options: RingOf, places: Left['places']): BpfRingSource | undefined {
  const { ring, heldRate, logger } = options
  if (ring === undefined) return undefined
  try {
    return new BpfRingSource({ folder: ring, heldRate, places, written: writtenOf(options) })
  } catch (error) {
    if (!(error instanceof AuditSourceError)) throw error
    const { code, message, remedy, context } = error
    logger.error({ code, remedy, ...context }, `violations of BPF rules are not reported: cannot ${message}`)
    return undefined
  }
}

/** Finds records whose lines a previous agent wrote but could not mark as written, because it was killed. */
function writtenOf(options: RingOf): WrittenRecords {
  const key = keyOfBoot(options, 'bpf')
  return new WrittenRecords(key, finderOf(options, key))
}

const keyOfBoot = ({ feed: { bootID = '' } }: RingOf, kind: 'audit' | 'bpf'): string =>
  `${bootID === '' ? '' : `${bootID}-`}${kind}-`

const finderOf =
  ({ log, logger }: RingOf, key: string): FindWritten =>
  async (since) => {
    try {
      return await findWritten(log, key, since)
    } catch (error) {
      logger.warn({ file: log, reason: String(error) }, 'cannot read the end of the log; some lines may appear twice')
      return new Set()
    }
  }

function pipelineSource({ audit: source, waits, checkpoint }: OpenedAudit): PipelineSource {
  const pressure = waits ? 'waits' : 'loses'
  if (checkpoint === undefined) return { source, pressure }
  const commit: PipelineSource['commit'] = async (position, counts) => {
    checkpoint.commit(position, counts)
    await checkpoint.flush()
  }
  return { source, pressure, commit }
}

async function openAudit(
  given: ViolationPipelineOptions,
  { losses, checkpoint, left }: { losses: LossLog; checkpoint: Checkpoint | undefined; left: () => Left },
): Promise<OpenedAudit | NoSource> {
  const { request, fromStart, logger } = given
  const notify = notifyBy(logger)
  const missed = { findWritten: finderOf(given, keyOfBoot(given, 'audit')) }
  const lost = (loss: Loss): void => losses.note(loss)
  const options = { fromStart, follow: { notify, chunkBytes }, missed, left, lost }
  const seenAgo = await checkpoint?.seenAgo()
  const choice = await openAuditSource(request, checkpoint === undefined ? options : { ...options, checkpoint })
  for (const notice of choice.notices) notify(notice)
  if (choice.source === undefined) return choice.none
  const { kind } = choice.chosen
  return { audit: choice.source, seenAgo, kind, waits: kind === 'file', checkpoint }
}

function newPool({
  feed,
  seenProcesses,
  lineage,
  logger,
  workers,
  logUntrusted = false,
  limits = {},
  procRoot = '/proc',
}: ViolationPipelineOptions): DecodePool {
  return new DecodePool({
    feed,
    ...(seenProcesses !== undefined && { seenProcesses }),
    settings: {
      ...{ everything: false, logUntrusted, procRoot },
      kinds: limits.rate === undefined ? 'counts' : 'lines',
      ...(lineage !== undefined && { forks: lineage.number }),
    },
    clock: systemClock,
    ...(workers !== undefined && { threads: workers }),
    onFailure: ({ source, seq: batch, kind: code, problem: reason, givenUp }) =>
      logger.warn(
        { source, batch, code, reason },
        givenUp
          ? 'no worker could decode a batch; its records are logged undecoded'
          : 'a worker failed; retrying its batch',
      ),
    onTrouble: (machine) =>
      machine === undefined
        ? logger.info({}, 'decoding records again')
        : logger.warn({ code: machine }, 'the machine lacks a resource for decoding; records wait; retrying'),
  })
}

async function newPipeline(
  options: ViolationPipelineOptions & { counts: ViolationCounts },
  { sources, audit, checkpoint }: Opened,
  { pool, logs: { sink, digest } }: { pool: DecodePool; logs: ViolationLogs },
): Promise<Pipeline> {
  const { logger, feed, counts, onRecorded } = options
  await pool.ready()
  return new Pipeline({
    ...(onRecorded !== undefined && { onRecorded }),
    ...{ sources, pool, sink, digest, feed, accounting: counts.accounting },
    ...(checkpoint !== undefined && { keep: (parts) => checkpoint.keep(parts) }),
    clock: systemClock,
    commitEvery: audit?.waits ? 250 : 5_000,
    onError: (error) => logger.warn({ err: error }, 'cannot store the position; retrying'),
  })
}

const statusOf = ({ accounting, stages, losses }: Pipeline): object => ({
  ...accounting.totals,
  undecodable: accounting.undecodable,
  unresolved: accounting.unresolved,
  untrusted: accounting.untrusted,
  losses,
  stages,
})
