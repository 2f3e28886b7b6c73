import { execFile } from 'node:child_process'
import { mebibyte } from '../base/bytes.ts'
import { EnforcerError } from './enforcer-error.ts'

/** How a run of apparmor_parser ended. */
export interface ParserRun {
  /** Exit status; undefined when it could not be started, or was killed. */
  status: number | undefined
  stderr: string
  stdout?: string
}

/** Runs apparmor_parser. Never rejects. */
export type RunParser = (args: readonly string[], stdin?: string) => Promise<ParserRun>

/** A profile takes well below a second; a run of many has its time for each. */
const timeFor = (files: number): number => 60_000 + files * 2_000

const longestOutput = mebibyte

/** Starts the program anew for each call; it is killed when it takes far too long. */
export function parserProgram(program = 'apparmor_parser'): RunParser {
  return (args, stdin = '') =>
    new Promise((resolve) => {
      const options = {
        timeout: timeFor(args.length),
        killSignal: 'SIGKILL',
        maxBuffer: longestOutput,
        // Its words are parsed below.
        env: { ...process.env, LC_ALL: 'C' },
      } as const
      const child = execFile(program, args, options, (error, stdout, stderr) => {
        if (error === null) resolve({ status: 0, stderr, stdout })
        else if (typeof error.code === 'number') resolve({ status: error.code, stderr })
        else resolve({ status: undefined, stderr: `${stderr}${program}: ${error.killed ? 'killed' : error.message}` })
      })
      // A parser that ends before it has read all: how it ended says more.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(stdin)
    })
}

/** Words of the part that talks to the kernel (parser_interface.c of AppArmor 2.13 to 4). */
const kernelWords =
  /unable to (?:add|replace|remove) |permission denied|find a suitable fs|access the profile|out of memory/i

/** `AppArmor parser error for FILE in profile FILE at line 12: syntax error, …`: the file named last is the one that the line is in. */
const located =
  /AppArmor parser error(?: for (?<file>\S+?))?(?:,? in (?:profile |file )?(?<within>\S+?))?,? (?:at )?line (?<line>\d+): *(?<reason>.*)/

/**
 * What a failed run says about its profile. Warnings come before the error in the output, so the lines that say "error" count,
 * and all of it where none does.
 */
export function parserError(step: string, profile: string, { status, stderr }: ParserRun): EnforcerError {
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
