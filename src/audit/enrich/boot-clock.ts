import { readFileSync } from 'node:fs'
import { systemClock } from '../../base/clock.ts'

/**
 * Seconds by which the boot time must differ to count as changed. Smaller differences also occur without a change of
 * the clock: /proc/uptime has limited precision, and NTP adjusts the speed of the clock.
 */
const step = 0.1
/** Milliseconds between two reads of the clocks. */
const period = 1000

/**
 * Returns the time of the boot in Unix seconds. It is computed from the uptime, because `btime` in /proc/stat does not
 * have a fraction. Start times of processes are relative to it, so it changes when the wall clock is set.
 * @param bootTime the result if /proc does not show the uptime
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
    // Ignore a small difference, so that the start times of processes do not change.
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
