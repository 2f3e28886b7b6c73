import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Command, InvalidArgumentError, Option } from 'commander'

export interface BenchCommand<Kind extends string> {
  /** The command of the bench, as a user types it. */
  command: string
  about: string
  /** Values of `--only`. */
  kinds?: readonly Kind[]
  /** Kinds measured without `--only`; default: all. */
  usual?: readonly Kind[]
  options?: readonly Option[]
}

/** Parses the options of a bench. Prints the help or the error, and ends the process if needed. */
export function readOptions<More extends object, Kind extends string = never>(
  bench: BenchCommand<Kind>,
): More & { only: readonly Kind[] } {
  const { command, about, kinds = [], usual = kinds, options = [] } = bench
  const program = new Command(command).description(about)
  if (kinds.length > 0) {
    const only = new Option('--only <kind...>', 'measure only these kinds').choices(kinds)
    program.addOption(only.default(usual, usual === kinds ? 'all' : usual.join(' ')))
  }
  for (const option of options) program.addOption(option)
  return program.parse().opts()
}

function readCount(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

/** An option with a whole number. */
export const countOption = (flags: string, about: string, byDefault?: number): Option =>
  new Option(flags, about).argParser(readCount).default(byDefault)

/** Prints a finished step, with the seconds since this process started. */
export function progress(what: string): void {
  console.log(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${what}`)
}

export interface Cost {
  seconds: number
  /** CPU time of this process, in all its threads. */
  cpuSeconds: number
}

/** @returns a function that gives the time, and this process's CPU time, since this call */
export function stopwatch(): () => Cost {
  const [start, before] = [performance.now(), process.cpuUsage()]
  return () => {
    const { user, system } = process.cpuUsage(before)
    return { seconds: (performance.now() - start) / 1000, cpuSeconds: (user + system) / 1e6 }
  }
}

export interface ProcessOptions {
  /** Additional flags of Node.js. */
  flags?: readonly string[]
  /** A command that starts the script's process. */
  through?: readonly string[]
}

/**
 * Runs a script in its own process, so that garbage and compiled code of other scripts do not affect it.
 * @returns its output, which is JSON
 */
export async function inOwnProcess<T>(
  script: string,
  args: readonly string[],
  { flags = [], through = [] }: ProcessOptions = {},
): Promise<T> {
  const [program, ...rest] = [...through, process.execPath, ...flags, '--import', 'tsx', script, ...args] as const
  const { stdout } = await promisify(execFile)(program!, rest, { maxBuffer: 1 << 26 })
  return JSON.parse(stdout) as T
}
