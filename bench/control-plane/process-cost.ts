import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'

/** A process's costs since its start: CPU seconds, and MiB of memory, current and maximum. */
export interface ProcessCost {
  cpu: number
  /** CPU seconds of the main thread, which runs JavaScript. The other threads collect garbage and compile. */
  main: number
  rss: number
  peak: number
}

/** USER_HZ, which is 100 on every architecture that Node.js runs on. */
const ticksPerSecond = 100

function cpuSeconds(file: string): number {
  const stat = readFileSync(file, 'utf8')
  // The name is in parentheses and may contain any character, so count fields after its end. utime and stime are the
  // fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/**
 * Reads a process's costs from the kernel.
 * @throws if the process does not run
 */
export function processCost(pid: number): ProcessCost {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mebibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024
  return {
    cpu: cpuSeconds(`/proc/${pid}/stat`),
    main: cpuSeconds(`/proc/${pid}/task/${pid}/stat`),
    rss: mebibytes('VmRSS'),
    peak: mebibytes('VmHWM'),
  }
}

/** Load of the machine in the last minute. */
export const load = (): number => loadavg()[0] ?? 0
