import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { SnapshotFeed } from '../audit/enrich/snapshot-feed.ts'
import type { Recorded } from '../audit/model/recorded.ts'
import { Pipeline, type PipelineSource } from '../audit/pipeline/pipeline.ts'
import { DecodePool } from '../audit/pool/decode-pool.ts'
import type { ProcessLog } from '../audit/pool/process-log.ts'
import { LossLog } from '../audit/sink/loss-log.ts'
import type { Loss } from '../audit/sink/loss-tally.ts'
import { AuditSourceError } from '../audit/source/audit-source-error.ts'
import { BpfRingSource } from '../audit/source/bpf-ring.ts'
import { Checkpoint } from '../audit/source/checkpoint.ts'
import type { NoSource, SourceKind, SourceRequest } from '../audit/source/choose-source.ts'
import { openAuditSource } from '../audit/source/open-source.ts'
import type { AuditSource, Notify } from '../audit/source/source.ts'
import { type FindWritten, findWritten, WrittenRecords } from '../audit/source/written-records.ts'
import { mebibyte } from '../base/bytes.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { begunAnew, type ViolationPipeline } from './begun-anew.ts'
import type { Lineage } from './lineage.ts'
import { countsOf, ViolationCounts } from './violation-counts.ts'
import { type LogLimits, openLogs, type ViolationLogs } from './violation-logs.ts'

export interface ViolationPipelineOptions {
  /** What the node knows of containers and policies; whoever learns more adds it. */
  feed: SnapshotFeed
  /** Processes whose container is known from elsewhere than /proc; whoever learns of more adds them. */
  seenProcesses?: ProcessLog
  /** What is known of who forked whom; whoever opened it closes it, after the pipeline. */
  lineage?: Lineage
  /** What pipelines before this one have counted. Default: there was none. */
  counts?: ViolationCounts
  /** The log of violations. */
  log: string
  /** Of its files, and of those of its digest. */
  limits?: LogLimits
  request: SourceRequest
  /** Where the ring of the BPF programs is pinned, where they are in force: it is a source beside the other one. */
  ring?: (() => string) | undefined
  /** Takes the rings of programs of other builds, which the first pipeline reads to their end; see `openRingsBeside`. */
  ringsBeside?: () => BpfRingSource[]
  /** Records a second that these programs let a container make of each kind. Default: all. */
  heldRate?: number | undefined
  /** Where it is kept how far the source was read; without it a restart begins with what comes then. */
  checkpoint?: string
  /** On the first start, read what the audit log already holds. */
  fromStart: boolean
  workers?: number
  /** Also write what processes have sent as audit records, as their violations. Default false. */
  logUntrusted?: boolean
  /** Takes what workloads did whose policies model behaviour. */
  onRecorded?: (recorded: readonly Recorded[]) => void
  /** Called with each loss of records or of lines. */
  onLoss?: (loss: Loss) => void
  logger: Logger
  procRoot?: string
}

export type { ViolationPipeline }

/** Starts it. @returns why not, when no audit source can be used; that is logged, too */
export function startViolationPipeline(options: ViolationPipelineOptions): Promise<ViolationPipeline | NoSource> {
  return begunAnew(() => startOnce(options), options.logger)
}

async function startOnce(options: ViolationPipelineOptions): Promise<ViolationPipeline | NoSource> {
  const { onLoss } = options
  const losses = new LossLog({ clock: systemClock, logger: options.logger, ...(onLoss !== undefined && { onLoss }) })
  const source = await openSources(options, losses)
  if ('why' in source) return source
  const pool = newPool(options)
  const { counts = new ViolationCounts(options.feed), log, limits = {}, logger, feed: writer } = options
  const logs = await openLogs({ log, limits, writer, losses, logger })
  const close = async (): Promise<void> => {
    counts.end()
    await pool.close()
    for (const { source: one } of source.sources) await one.close()
    await logs.close()
  }
  try {
    const pipeline = await newPipeline({ ...options, counts }, source, { pool, logs })
    counts.begin({
      source: source.audit?.kind,
      counts: () => countsOf(pipeline, pool),
      queues: () => pipeline.queues,
      holding: () => pipeline.holding,
    })
    return {
      source: source.sources.map(({ source: { name } }) => name).join(', '),
      none: source.none,
      status: () => ({ ...statusOf(pipeline), ...(options.lineage && { lineage: options.lineage.status }) }),
      stop: () => pipeline.stop(),
      ended: pipeline.run().finally(close),
    }
  } catch (error) {
    await close()
    logs.sink.hurry(0)
    await logs.sink.close()
    throw error
  }
}

/** Larger batches cost less (npm run bench:pipeline), and a crash doubles at most the last one. */
const chunkBytes = mebibyte

interface OpenedAudit {
  audit: AuditSource
  kind: SourceKind
  waits: boolean
  checkpoint: Checkpoint | undefined
}

interface Opened {
  audit?: OpenedAudit
  /** Why there is no audit source. */
  none?: NoSource
  sources: PipelineSource[]
}

/** The audit source, and the ring of the BPF programs. Either goes without the other. */
async function openSources(options: ViolationPipelineOptions, losses: LossLog): Promise<Opened | NoSource> {
  const audit = await openAudit(options, losses)
  const ring = openRing(options)
  const opened = [...(options.ringsBeside?.() ?? []), ...(ring === undefined ? [] : [ring])]
  const rings = opened.map(
    (source): PipelineSource => ({ source, pressure: 'waits', written: (position) => source.written(position) }),
  )
  if (!('why' in audit)) return { audit, sources: [pipelineSource(audit), ...rings] }
  return rings.length === 0 ? audit : { none: audit, sources: rings }
}

/**
 * Opens the rings of programs of other builds, before these are removed: what no agent has read of them is nowhere else. A ring ends when
 * its programs are gone and all of it was read.
 * @param beside folders of those that are in force still
 */
export function openRingsBeside(
  options: Pick<ViolationPipelineOptions, 'log' | 'feed' | 'heldRate' | 'logger'>,
  beside: () => readonly string[],
): BpfRingSource[] {
  return beside().flatMap((folder) => {
    const ring = openRing({ ...options, ring: () => (beside().includes(folder) ? folder : undefined) })
    return ring ?? []
  })
}

type RingOf = Pick<ViolationPipelineOptions, 'log' | 'feed' | 'heldRate' | 'logger'> & {
  ring?: (() => string | undefined) | undefined
}

/** Without it, violations of AppArmor and Seccomp are followed all the same. */
function openRing(options: RingOf): BpfRingSource | undefined {
  const { ring, heldRate, logger } = options
  try {
    return ring === undefined ? undefined : new BpfRingSource({ folder: ring, heldRate, written: writtenOf(options) })
  } catch (error) {
    if (!(error instanceof AuditSourceError)) throw error
    const { code, message, remedy, context } = error
    logger.error({ code, remedy, ...context }, `violations of BPF rules are not followed: cannot ${message}`)
    return undefined
  }
}

/** Lines that an agent before this one wrote, and was killed before it could note them. */
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
      logger.warn(
        { file: log, reason: String(error) },
        'the end of the log cannot be read; some of its lines may come twice',
      )
      return new Set()
    }
  }

function pipelineSource({ audit: source, waits, checkpoint }: OpenedAudit): PipelineSource {
  const pressure = waits ? 'waits' : 'loses'
  if (checkpoint === undefined) return { source, pressure }
  const commit = async (position: unknown): Promise<void> => {
    checkpoint.commit(position)
    await checkpoint.flush()
  }
  return { source, pressure, commit }
}

async function openAudit(given: ViolationPipelineOptions, losses: LossLog): Promise<OpenedAudit | NoSource> {
  const { request, checkpoint: path, fromStart, logger } = given
  const notify: Notify = ({ level, message, code, remedy, context }) =>
    logger[level]({ code, remedy, ...context }, message)
  const checkpoint = path === undefined ? undefined : new Checkpoint(path, { notify })
  // What is wrong with the folder, the checkpoint says when it is written.
  if (path !== undefined) await mkdir(dirname(path), { recursive: true, mode: 0o750 }).catch(() => undefined)
  const missed = { findWritten: finderOf(given, keyOfBoot(given, 'audit')) }
  const options = { fromStart, follow: { notify, chunkBytes }, missed, lost: (loss: Loss) => losses.note(loss) }
  const choice = await openAuditSource(request, checkpoint === undefined ? options : { ...options, checkpoint })
  for (const notice of choice.notices) notify(notice)
  if (choice.source === undefined) return choice.none
  const { kind } = choice.chosen
  return { audit: choice.source, kind, waits: kind === 'file', checkpoint }
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
        givenUp ? 'records are written undecoded' : 'a worker failed; its batch is tried again',
      ),
    onTrouble: (machine) =>
      machine === undefined
        ? logger.info({}, 'records are decoded again')
        : logger.warn({ code: machine }, 'the machine refuses what decoding needs; records wait, and are tried again'),
  })
}

async function newPipeline(
  options: ViolationPipelineOptions & { counts: ViolationCounts },
  { sources, audit }: Opened,
  { pool, logs: { sink, digest } }: { pool: DecodePool; logs: ViolationLogs },
): Promise<Pipeline> {
  const { logger, feed, counts, onRecorded } = options
  await pool.ready()
  return new Pipeline({
    ...(onRecorded !== undefined && { onRecorded }),
    ...{ sources, pool, sink, digest, feed, accounting: counts.accounting },
    clock: systemClock,
    commitEvery: audit?.waits ? 250 : 5_000,
    onError: (error) => logger.warn({ err: error }, 'the position cannot be stored; it is tried again'),
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
