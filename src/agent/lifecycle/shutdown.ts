import { logTrouble } from '../../base/bug.ts'
import type { Logger } from '../../base/logger.ts'

/**
 * Stops the components one after the other, and continues if a component fails.
 * @param onPart called with the name of each component before it is stopped
 * @throws the first error, after all components are stopped
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
        'a component of the agent failed to stop; the agent continues to stop the other components',
      )
    }
  }
  if (errors.length > 0) throw errors[0]
}
