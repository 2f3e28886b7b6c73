import { spawn, spawnSync } from 'node:child_process'

export interface CommandOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  input?: string
}

export interface CommandResult {
  status: number
  stdout: string
  stderr: string
}

/**
 * Runs a program to its end, whatever its exit status.
 * @throws if the program cannot be started
 */
export function result(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: 'pipe' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({ status: code ?? -1, stdout, stderr: signal === null ? stderr : `${stderr}ended by ${signal}` })
    })
    // A program may end without reading its input; that is not an error.
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}

/**
 * Runs a program that must succeed.
 * @returns its output
 * @throws with its error output if it fails
 */
export async function output(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await result(program, args, options)
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: exit status ${status}\n${stderr}${stdout}`.trim())
  return stdout
}

/** The output of a program, or undefined if it is missing or fails. */
export function probe(program: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}
