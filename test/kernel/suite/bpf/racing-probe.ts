import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** What a probe has seen. */
export interface Raced {
  tries: number
  /** How often it could open what is forbidden. */
  passed: number
  /** How often it could not open what is allowed. */
  refused: number
}

/** A process in a container that tries all the time whether a rule holds: test/kernel/images/probes/race.c. */
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

  /** @param nap microseconds between two tries */
  static start(container: string, name: string, files: { forbidden: string; allowed: string }, nap = 0): RacingProbe {
    const command = ['/probes/race', files.forbidden, files.allowed, String(nap)]
    return new RacingProbe(spawn('ctr', ['-n', 'k8s.io', 'task', 'exec', '--exec-id', name, container, ...command]))
  }

  /** Resolves once it has tried so often. */
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
