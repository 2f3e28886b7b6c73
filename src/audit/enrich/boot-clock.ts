import { readFileSync } from 'node:fs'
import { systemClock } from '../../base/clock.ts'

/**
 * Seconds. A smaller difference is not a clock that was set: /proc/uptime has limited precision, and the clock is
 * slewed.
 */
const step = 0.1
/** Milliseconds between two reads of the clocks. */
const period = 1000

/**
 * When the machine booted, in Unix seconds, as exactly as the kernel shows it; `btime` has no fraction. Starts of
 * processes count from it, so it must change when the clock is set.
 * @param bootTime used if the proc file system does not show it
 */
export function bootClock(
  bootTime: number,
  root = '/proc',
  clocks = { wall: systemClock.wall, steady: systemClock.now } as { wall: () => number; steady: () => number },
): () => number {
  let boot: number | undefined
  let lookedAt = Number.NEGATIVE_INFINITY
  return () => {
    const now = clocks.steady()
    if (boot !== undefined && now - lookedAt < period) return boot
    lookedAt = now
    const found = clocks.wall() / 1000 - uptimeOf(root)
    // Ignore a smaller difference, so that a process keeps its start time.
    if (boot === undefined || Math.abs(found - boot) > step) boot = Number.isNaN(found) ? bootTime : found
    return boot
  }
}

function uptimeOf(root: string): number {
  try {
    return Number.parseFloat(readFileSync(`${root}/uptime`, 'latin1'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Number.NaN
    throw error
  }
}
