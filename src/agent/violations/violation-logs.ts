import type { FileSize } from 'rotating-file-stream'
import { Digest } from '../../audit/digest/digest.ts'
import { digestOf } from '../../audit/digest/digest-path.ts'
import type { Writer } from '../../audit/sink/agent-events.ts'
import { LossLog } from '../../audit/sink/loss-log.ts'
import { Sink } from '../../audit/sink/sink.ts'
import { bytesOf, type Trouble } from '../../audit/sink/sink-file.ts'
import { systemClock } from '../../base/clock.ts'
import type { LogFields } from '../../base/log-fields.ts'
import type { Logger } from '../../base/logger.ts'

/** Limits of the log of violations, and of its digest. */
export interface LogLimits {
  /** Size at which a file is rotated. Default 10M, as upstream. */
  maxSize?: FileSize
  /** Number of rotated files to keep. Default 3, as upstream. */
  maxFiles?: number
  /** Whether rotated files are compressed, except the newest. Default false, as upstream. */
  compress?: boolean
  /** Maximum bytes of all files together. Default: no further limit. */
  maxTotalSize?: FileSize
  /** Maximum events per second logged for each container. Default: no limit. The digest counts all events. */
  rate?: number
}

/** The log of violations, and its digest. */
export interface ViolationLogs {
  sink: Sink
  digest: Digest
  /** Closes the digest's file. Call it after the pipeline has ended, which closes the log. */
  close(): Promise<void>
}

export interface LogsOptions {
  log: string
  limits: LogLimits
  /** Fields with which the agent's own lines begin. */
  writer: Writer
  /** Losses of the log. The digest has a separate object. */
  losses: LossLog
  logger: Logger
}

/** Milliseconds to wait at shutdown for a disk that does not accept the digest. */
const timeout = 5_000

/** Opens the log and the digest. If a file cannot be opened, this is logged and tried again. */
export async function openLogs({ log, limits, writer, losses, logger }: LogsOptions): Promise<ViolationLogs> {
  const sink = sinkOf(log, { limits, writer, losses, logger, stage: 'sink' })
  const ofDigest = new LossLog({ clock: systemClock, logger })
  const digestSink = sinkOf(digestOf(log), { limits, writer, losses: ofDigest, logger, stage: 'digest' })
  for (const [file, one] of [[log, sink] as const, [digestOf(log), digestSink] as const])
    await one
      .ready()
      .catch((error: unknown) => logger.warn({ file, reason: String(error) }, 'cannot write the log yet'))
  const { rate } = limits
  const digest = new Digest({
    clock: systemClock,
    writer,
    sink: digestSink,
    kept: keptBytes(limits),
    log: sink,
    ...(rate !== undefined && { rate }),
  })
  const close = async (): Promise<void> => {
    digest.close()
    digestSink.hurry(timeout)
    await digestSink.close()
  }
  return { sink, digest, close }
}

/** Minimum bytes of a log's old files, once the maximum number of files exists. */
export function keptBytes({ maxSize = '10M', maxFiles = 3, maxTotalSize }: LogLimits): number {
  const one = bytesOf(maxSize)
  const all = maxTotalSize === undefined ? Number.POSITIVE_INFINITY : bytesOf(maxTotalSize) - one
  return Math.max(Math.min(one * maxFiles, Math.floor(all / one) * one), one)
}

function sinkOf(path: string, { limits, logger, ...given }: Omit<LogsOptions, 'log'> & { stage: string }): Sink {
  const { maxSize, maxFiles, compress, maxTotalSize } = limits
  return new Sink({
    ...{ path, clock: systemClock, random: Math.random, ...given },
    ...(maxSize !== undefined && { size: maxSize }),
    ...(maxFiles !== undefined && { rotate: maxFiles }),
    ...(compress !== undefined && { compress }),
    ...(maxTotalSize !== undefined && { total: maxTotalSize }),
    onTrouble: (trouble) =>
      trouble === undefined
        ? logger.info({ file: path }, 'writing the log again')
        : logger.warn({ file: path, ...fieldsOf(trouble) }, 'cannot write the log; retrying'),
    onOldFile: (trouble) =>
      logger.warn(
        { file: path, ...fieldsOf(trouble) },
        'cannot compress or remove a rotated file of the log; retrying',
      ),
  })
}

const fieldsOf = ({ reason: code, problem: reason }: Trouble): LogFields => ({ code, reason })
