import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { busyboxImage } from '../images/names.ts'

/** The output of a command, from both streams, and its exit status. */
export interface Answer {
  status: number
  text: string
}

/** Runs each line that it reads, as far as possible with builtins, and then prints the exit status. */
const loop = 'while read -r line; do eval "$line" 2>&1; code=$?; echo; echo "status $code"; done'

/** A container whose first process, a shell, lives on from one command to the next. */
export class ContainedShell {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>
  #errors = ''

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]()
    process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
    process.stdin.on('error', () => undefined)
  }

  /**
   * Resolves when the shell accepts commands.
   * @param profile AppArmor profile, or a stack of profiles; without it the shell is unconfined
   */
  static async start(
    id: string,
    profile?: string,
    flags: readonly string[] = [],
    image = busyboxImage,
  ): Promise<ContainedShell> {
    const confined = profile === undefined ? [] : ['--apparmor-profile', profile]
    const args = ['-n', 'k8s.io', 'run', '--rm', ...confined, ...flags, image, id, 'sh', '-c', loop]
    const shell = new ContainedShell(spawn('ctr', args))
    await shell.run(':')
    return shell
  }

  /** A command of one line, which the first process of the container runs. @throws when the container has ended */
  async run(command: string): Promise<Answer> {
    this.#process.stdin.write(`${command}\n`)
    const lines: string[] = []
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done) throw new Error(`the container has ended: ${lines.join('\n')}${this.#errors}`)
      const status = /^status (\d+)$/.exec(value)?.[1]
      if (status !== undefined) return { status: Number(status), text: lines.join('\n').trim() }
      lines.push(value)
    }
  }

  /** The AppArmor label of the container's first process, such as `varmor-demo-web (enforce)`. */
  async label(): Promise<string> {
    return (await this.run('read -r label < /proc/self/attr/current; echo "$label"')).text
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'close')
    this.#process.stdin.end()
    if (this.#process.exitCode === null) await ended
  }
}
