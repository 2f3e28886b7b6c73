import { logTrouble } from '../base/bug.ts'
import type { Logger } from '../base/logger.ts'

/**
 * Ends one part after the other, also those after one that fails.
 * @param onPart called with the name of each when its turn comes
 * @throws the first error, when all have been ended
 */
export async function stopAll(
  parts: Readonly<Record<string, () => unknown>>,
  logger: Pick<Logger, 'warn' | 'error'>,
  onPart: (part: string) => void = () => undefined,
): Promise<void> {
  const errors: unknown[] = []
  for (const [part, end] of Object.entries(parts)) {
    onPart(part)
    try {
      await end()
    } catch (err) {
      errors.push(err)
      logTrouble(
        logger,
        err,
        { where: part, err },
        'a component of the agent failed to stop; the other components are still stopped',
      )
    }
  }
  if (errors.length > 0) throw errors[0]
}
