import { LogInDoubt } from '../audit/pipeline/pipeline.ts'
import type { NoSource } from '../audit/source/choose-source.ts'
import type { Logger } from '../base/logger.ts'

/** The running pipeline of a node: from its audit source to its log of violations. */
export interface ViolationPipeline {
  /** Names of its sources. */
  source: string
  /** Why no audit source is among them, where none is. */
  none?: NoSource | undefined
  /** Counters, for a line of the log. */
  status(): object
  /** Lets it end after what was read is written. */
  stop(): void
  /** Resolves when all is written and closed; rejects when the source cannot go on. */
  ended: Promise<void>
}

/**
 * A pipeline that is begun anew, at its stored position, whenever it ends because lines of it may be lost on the disk: they come
 * twice then, and none is missing.
 */
export async function begunAnew(
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
