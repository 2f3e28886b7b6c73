import { readFileSync } from 'node:fs'
import { systemClock } from '../../base/clock.ts'

/** Seconds; a smaller difference is the precision of /proc/uptime, or slewing of the clock. */
const step = 0.1
/** Milliseconds between two reads of the clocks. */
const period = 1000

/**
 * When the machine booted, in Unix seconds, as exactly as the kernel shows it: `btime` has no fraction. Process starts
 * count from it, so it must follow when the clock is set.
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
    // Otherwise keep it, so that a process has one start time.
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
