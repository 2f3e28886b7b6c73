import { LogInDoubt } from '../../audit/pipeline/pipeline.ts'
import type { NoSource } from '../../audit/source/choose-source.ts'
import type { Logger } from '../../base/logger.ts'

/** The running pipeline of a node: from its audit source to its log of violations. */
export interface ViolationPipeline {
  /** Names of the audit sources. */
  source: string
  /** Why no audit source can be used; undefined: a source is in use. */
  none?: NoSource | undefined
  /** Counters for a status line of the log. */
  status(): object
  /** Ends the pipeline after all read records are written. */
  stop(): void
  /** Resolves when all lines are written and files are closed; rejects if the source fails. */
  ended: Promise<void>
}

/**
 * Runs a pipeline. If it ends because the disk may have lost lines, starts another pipeline at the stored position.
 * Some lines may then be written twice, but no line is lost.
 */
export async function runUntilReplaced(
  start: () => Promise<ViolationPipeline | NoSource>,
  logger: Logger,
): Promise<ViolationPipeline | NoSource> {
  const first = await start()
  if ('why' in first) return first
  let current = first
  let isStopped = false
  const run = async (): Promise<void> => {
    for (;;)
      try {
        return await current.ended
      } catch (error) {
        if (!(error instanceof LogInDoubt) || isStopped) throw error
        logger.warn(
          { source: current.source, reason: error.message },
          'reading violations again from the stored position',
        )
        const next = await start()
        if ('why' in next) throw error
        current = next
        if (isStopped) current.stop()
      }
  }
  return {
    get source() {
      return current.source
    },
    get none() {
      return current.none
    },
    status: () => current.status(),
    stop: () => {
      isStopped = true
      current.stop()
    },
    ended: run(),
  }
}
