import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Counts of a probe. */
export interface Raced {
  tries: number
  /** Number of forbidden opens that succeeded. */
  passed: number
  /** Number of allowed opens that failed. */
  refused: number
}

interface Pair {
  forbidden: string
  allowed: string
}

export interface Racing {
  /** Microseconds between two tries. */
  nap?: number
  processes?: number
}

/** Processes in a container that check continuously that rules hold, with test/kernel/images/probes/race.c. */
export class RacingProbe {
  seen: Raced = { tries: 0, passed: 0, refused: 0 }
  readonly #process: ChildProcessWithoutNullStreams
  #errors = ''

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process
    createInterface({ input: process.stdout }).on('line', (line) => {
      const [tries = 0, passed = 0, refused = 0] = line.split(' ').map(Number)
      this.seen = { tries, passed, refused }
    })
    process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
  }

  static start(container: string, name: string, files: Pair | readonly Pair[], how: Racing = {}): RacingProbe {
    const { nap = 0, processes = 1 } = how
    const pairs = [files].flat().flatMap(({ forbidden, allowed }) => [forbidden, allowed])
    const command = ['/probes/race', String(nap), String(processes), ...pairs]
    return new RacingProbe(spawn('ctr', ['-n', 'k8s.io', 'task', 'exec', '--exec-id', name, container, ...command]))
  }

  /** Resolves when the probe has made this many tries in total. */
  async after(tries: number): Promise<void> {
    while (this.seen.tries < tries) {
      if (this.#process.exitCode !== null) throw new Error(`the probe has ended: ${this.#errors}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async stop(): Promise<Raced> {
    const ended = once(this.#process, 'close')
    this.#process.stdin.end('stop\n')
    await ended
    return this.seen
  }
}
