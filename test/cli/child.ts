import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { ROOT, VARMOR } from './run.ts'

/** `varmor` as a process that runs until a test stops it. */
export class Child {
  readonly process: ChildProcess
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.process = spawn(process.execPath, [...VARMOR, ...args], {
      cwd: ROOT,
      env: { ...process.env, KUBECONFIG: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stdout?.setEncoding('utf8').on('data', (text) => {
      this.stdout += text
    })
    this.process.stderr?.setEncoding('utf8').on('data', (text) => {
      this.stderr += text
    })
  }

  get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null
  }

  /**
   * Waits until the process has printed the text.
   * @throws with its output if it ends before
   */
  async says(words: string | RegExp): Promise<void> {
    const said = (): boolean => {
      const all = this.stdout + this.stderr
      return typeof words === 'string' ? all.includes(words) : words.test(all)
    }
    while (!said()) {
      if (this.ended) throw new Error(`it ended before it said ${words}: ${this.stdout}${this.stderr}`)
      await pause(20)
    }
  }

  /**
   * Waits until the process has ended by itself.
   * @returns its exit status
   */
  async exited(): Promise<number | null> {
    if (!this.ended) await once(this.process, 'exit')
    return this.process.exitCode
  }

  /**
   * Stops the process as Kubernetes or a terminal does.
   * @returns its exit status
   */
  async end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    if (!this.ended) {
      const gone = once(this.process, 'exit')
      this.process.kill(signal)
      await gone
    }
    return this.process.exitCode
  }
}

/** Polls until there is an answer; only the test's own timeout limits it. */
export async function until<T>(ask: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    await pause(50)
  }
}
