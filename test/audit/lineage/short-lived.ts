import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { compile } from '../../native/c-program.ts'

/** The program short-lived.c, which waits for a line before it starts. */
export class ShortLived {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #text = ''

  constructor(mode: 'log' | 'quiet', count: number, width = 1) {
    const program = compile('short-lived')
    this.#child = spawn(program, [mode, `${count}`, `${width}`], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdout!.on('data', (data) => {
      this.#text += data
    })
    this.#ended = once(this.#child, 'close')
  }

  get pid(): number {
    return this.#child.pid!
  }

  /**
   * Starts the program's work.
   * @returns the pids of its children, after all have ended
   */
  async run(): Promise<number[]> {
    this.#child.stdin!.end('go\n')
    const [code] = (await this.#ended) as [number | null]
    if (code !== 0) throw new Error(`short-lived ended with ${code}`)
    return this.#text.split('\n').slice(0, -1).map(Number)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
