import { spawn } from 'node:child_process'

export interface CommandOptions {
  cwd?: string
  /** Shows the program's output on the terminal in place of returning it. */
  show?: boolean
}

/**
 * Runs a program that must succeed.
 * @returns its output without the last newline
 * @throws with its error output if it fails, and with its name if it is missing
 */
export function run(program: string, args: readonly string[], { cwd, show = false }: CommandOptions = {}) {
  return new Promise<string>((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout?.on('data', (bytes: Buffer) => out.push(bytes))
    child.stderr?.on('data', (bytes: Buffer) => err.push(bytes))
    child.on('error', (error) => reject(new Error(`${program} cannot be started: ${error.message}`)))
    child.on('close', (code, signal) => {
      const text = Buffer.concat(out).toString().trimEnd()
      if (code === 0) return resolve(text)
      const cause = signal === null ? `exit status ${code}` : `ended by ${signal}`
      reject(
        new Error([`${program} ${args.join(' ')}: ${cause}`, Buffer.concat(err).toString(), text].join('\n').trim()),
      )
    })
  })
}
