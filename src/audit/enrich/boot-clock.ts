import { readFileSync } from 'node:fs'
import { systemClock } from '../../base/clock.ts'

/** Seconds; a smaller difference is how exact /proc/uptime is, or that the clock is being slewed. */
const step = 0.1
/** Milliseconds between two looks at the clocks. */
const period = 1000

/**
 * When the machine was booted, in unix seconds, as exact as the kernel says it: `btime` has no fraction. Process starts count
 * from there, so it has to follow when the clock is set.
 * @param bootTime what counts where the proc file system does not say
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
    // Otherwise it stays as it is, so that a process has one start.
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
