import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../../cli/child.ts'
import { output } from '../../../cluster/command.ts'
import { debianRoot } from './burst.ts'
import { KeptLog } from './kept-log.ts'

/** auditd's log folder, seen from outside and from inside its root. */
const folder = join(debianRoot, 'var/log/audit')
const place = '/var/log/audit'

/**
 * Debian's audit daemon with Debian's settings, in the root of the Debian image. Its log is at auditd's default path.
 */
export class Auditd {
  readonly #process: ChildProcess
  readonly #log: KeptLog
  #stopped = false

  private constructor(process: ChildProcess, log: KeptLog) {
    this.#process = process
    this.#log = log
  }

  /** Resolves when the kernel sends its records to auditd. */
  static async start(): Promise<Auditd> {
    mkdirSync(folder, { recursive: true })
    rmSync(place, { recursive: true, force: true })
    symlinkSync(folder, place)
    for (const kernel of ['dev', 'proc']) await output('mount', ['--bind', `/${kernel}`, join(debianRoot, kernel)])
    const log = new KeptLog(folder, 'audit.log')
    const auditd = new Auditd(spawn('chroot', [debianRoot, '/sbin/auditd', '-n'], { stdio: 'inherit' }), log)
    const current = join(folder, 'audit.log')
    await until(async () => {
      if (auditd.#ended) throw new Error('auditd has ended')
      return existsSync(current) && readFileSync(current, 'utf8').includes('DAEMON_START')
    })
    return auditd
  }

  /**
   * Stops auditd after it has written all received records, and turns off the kernel's auditing. A second call does
   * nothing.
   */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    const closed = once(this.#process, 'close')
    this.#process.kill('SIGTERM')
    if (!this.#ended) await closed
    await output('chroot', [debianRoot, '/sbin/auditctl', '-e', '0'])
    for (const kernel of ['dev', 'proc']) await output('umount', [join(debianRoot, kernel)])
  }

  /**
   * Removes the log of a stopped auditd.
   * @returns all lines that the log ever had
   */
  takeLog(): string[] {
    rmSync(place, { force: true })
    return this.#log.end()
  }

  get #ended(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }
}
