import { type ExecFileException, execFile } from 'node:child_process'
import { mebibyte } from '../base/bytes.ts'
import { EnforcerError } from './enforcer-error.ts'

/** How a run of apparmor_parser ended. */
export interface ParserRun {
  /** Exit status; undefined if the parser could not start or was killed at a resource limit. */
  status: number | undefined
  /** The limit that was exceeded. `time`: the parser waited too long for the CPU or a lock. */
  costly?: 'cpu' | 'memory' | 'time'
  stderr: string
  stdout?: string
}

/** Runs apparmor_parser. `bytes`: length of the texts to compile. Never rejects. */
export type RunParser = (args: readonly string[], stdin?: string, bytes?: number) => Promise<ParserRun>

const leastTime = 10
const bytesASecond = 5_000

/**
 * CPU limit in seconds, at least `leastTime`. All built-in rules have 23 kB and take one second; with ten targets, they
 * have 274 kB and take ten seconds. A slow machine takes up to `slowest` times as long.
 */
const timeFor = (bytes: number): number => leastTime + Math.ceil(bytes / bytesASecond)

/**
 * A profile that is compiled once to measure the machine's speed. `usual`: milliseconds that this takes on an older
 * machine, including the start of the parser.
 */
const yardstick = 'profile yardstick { deny "/**[a-m]????????" w, }\n'
const usual = 30
const slowest = 20

/**
 * Seconds that a parser may wait for a busy CPU or a lock, in addition to its CPU limit. All other profiles wait behind
 * it. A longer wait does not show that the profile is costly.
 */
const timeout = 120

/**
 * Maximum bytes of the parser's address space. All built-in rules with ten targets need a quarter of this. A rule such
 * as `/**a?????????????? w` needs unlimited memory, because the parser makes a state for each way to match a path. The
 * parser uses the memory of the agent's container.
 */
const maxMemory = 128 * mebibyte

const maxOutput = mebibyte

/** Exit statuses of prlimit if the program is missing or cannot be executed. */
const notStarted = [126, 127]

/**
 * Runs the program with limits of memory and CPU time, and kills it if it takes far too long. The CPU limit is higher
 * on a slow machine; the first run measures the speed.
 */
export function parserProgram(program = 'apparmor_parser', time = timeFor, waits = timeout): RunParser {
  let slowness: Promise<number> | undefined
  const measure = async (): Promise<number> => {
    const started = performance.now()
    await run(['--skip-kernel-load', '--stdout', '--skip-cache', '--jobs=0'], yardstick, slowest * time(0))
    return Math.min(slowest, Math.max(1, (performance.now() - started) / usual))
  }
  const run = (args: readonly string[], stdin: string, seconds: number): Promise<ParserRun> =>
    new Promise((resolve) => {
      const options = {
        timeout: (seconds + waits) * 1000,
        killSignal: 'SIGKILL',
        maxBuffer: maxOutput,
        // The C locale, because the code below parses the messages.
        env: { ...process.env, LC_ALL: 'C' },
      } as const
      // The parser gets a signal at the soft limit, which shows the reason. The kernel kills it one second later, at
      // the hard limit.
      const bounds = [`--as=${maxMemory}`, `--cpu=${seconds}:${seconds + 1}`]
      const child = execFile('prlimit', [...bounds, program, ...args], options, (error, stdout, stderr) => {
        if (error === null) resolve({ status: 0, stderr, stdout })
        else resolve(failedRun(program, error, stderr))
      })
      // Ignore errors of the input: the parser may end before it has read everything, and its exit status gives the
      // reason.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(stdin)
    })
  return async (args, stdin = '', bytes = 0) => {
    if (bytes > 0) slowness ??= measure()
    return run(args, stdin, Math.ceil(time(bytes) * ((await slowness) ?? 1)))
  }
}

function failedRun(program: string, { code, killed, signal, message }: ExecFileException, stderr: string): ParserRun {
  // The parser aborts (SIGABRT) when it cannot allocate memory.
  if (signal === 'SIGABRT' || /bad_alloc|memory allocation/i.test(stderr))
    return { status: undefined, stderr, costly: 'memory' }
  if (signal === 'SIGXCPU') return { status: undefined, stderr, costly: 'cpu' }
  if (killed && signal === 'SIGKILL') return { status: undefined, stderr, costly: 'time' }
  if (typeof code === 'number' && !notStarted.includes(code)) return { status: code, stderr }
  return { status: undefined, stderr: stderr.trim() || `${program}: ${message}` }
}

/** Messages from the part of the parser that calls the kernel (parser_interface.c of AppArmor 2.13 to 4). */
const kernelWords =
  /unable to (?:add|replace|remove) |permission denied|find a suitable fs|access the profile|out of memory/i

/**
 * `AppArmor parser error for FILE in profile FILE at line 12: syntax error, …`. The line number is for the file named
 * last.
 */
const located =
  /AppArmor parser error(?: for (?<file>\S+?))?(?:,? in (?:profile |file )?(?<within>\S+?))?,? (?:at )?line (?<line>\d+): *(?<reason>.*)/

/**
 * Makes an error from the output of a failed run. Only lines that say "error" count, because warnings come first; if
 * there are none, the whole output counts.
 */
export function parserError(step: string, profile: string, { status, stderr, costly }: ParserRun): EnforcerError {
  if (costly === 'time') {
    const reason = 'stopped after more than two minutes of waiting for the CPU or a lock; retrying'
    return new EnforcerError('PARSER_FAILED', step, { profile, reason })
  }
  if (costly !== undefined) {
    const limit =
      costly === 'memory'
        ? `${maxMemory / mebibyte} MiB`
        : `${leastTime} s of CPU and one for each ${bytesASecond} bytes, on a machine as fast as most`
    const reason = `compiling it takes more than ${limit}; use fewer rules, and fewer ?, * and character classes after a *`
    return new EnforcerError('TOO_COSTLY', step, { profile, reason })
  }
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  const found = located.exec(stderr)?.groups
  const reason = (found?.['reason'] || telling(lines).join(' ') || `exit status ${status}`).slice(0, 600)
  if (status === undefined) return new EnforcerError('PARSER_FAILED', step, { profile, reason })
  if (found !== undefined) {
    const { within = '', line = '0' } = found
    const elsewhere = within !== '' && !within.endsWith(`/${profile}`) && within !== profile
    const place = { line: Number(line), ...(elsewhere && { file: within }) }
    return new EnforcerError('PROFILE_REJECTED', step, { profile, ...place, reason })
  }
  const code = kernelWords.test(stderr) ? 'KERNEL_REFUSED' : 'PROFILE_REJECTED'
  return new EnforcerError(code, step, { profile, reason })
}

function telling(lines: readonly string[]): readonly string[] {
  const errors = lines.filter((line) => /error|unable|denied|fail|conflict/i.test(line))
  return errors.length > 0 ? errors : lines
}
