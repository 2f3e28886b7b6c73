import { readFileSync } from 'node:fs'
import { shortBootID } from '../../audit/decode/boot-id.ts'
import { systemClock } from '../../base/clock.ts'

/** The boot of the running kernel. */
export interface Boot {
  /** Unix seconds, with a fraction. */
  bootTime: number
  /** Short form of the boot's id. */
  bootID: string
}

/** Seconds that the two boot times may differ, because the time in /proc/stat has no fraction. */
const rounding = 1.5

/**
 * Reads the boot of a node.
 * @param procRoot a proc file system.
 * @param now milliseconds since the Unix epoch.
 */
export function bootOf(procRoot: string, now: () => number = systemClock.wall): Boot {
  const read = (path: string): string => readFileSync(`${procRoot}/${path}`, 'latin1')
  const whole = Number(/^btime (\d+)$/m.exec(read('stat'))?.[1] ?? 0)
  // The result may be up to 10 ms late, or early by the time between the two readings.
  const exact = now() / 1000 - Number.parseFloat(read('uptime'))
  return {
    bootTime: Math.abs(exact - whole - 0.5) <= rounding ? exact : whole,
    bootID: shortBootID(read('sys/kernel/random/boot_id')),
  }
}
