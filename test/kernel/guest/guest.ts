import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { abandonedFolders, createRunFolder, folderVariable, type RunFolder } from '../../cluster/run-folder.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { sweep } from '../../cluster/sweep.ts'
import { watchOver } from '../../cluster/watchdog.ts'
import { ensureImageStore, type ImageName } from '../images/store.ts'
import { Channel } from './channel.ts'
import { Console } from './console.ts'
import { ensureDependenciesImage } from './dependencies-image.ts'
import type { GuestProcess, SpawnOptions } from './guest-process.ts'
import { ensureInitramfs } from './initramfs.ts'
import { ensureKernel, type KernelName } from './kernels.ts'
import { onceMoreAfterEmulation } from './once-more.ts'
import { ensureProjectImage } from './project-image.ts'
import { type Disk, type Forward, qemuCommand, reasonOnConsole } from './qemu.ts'
import { ensureRootImage } from './root-image.ts'

export interface GuestOptions {
  kernel: KernelName
  /** Memory in MiB; default 2,048. */
  memoryMiB?: number
  /**
   * Number of CPUs; default 1. On two emulated CPUs, two guests with one CPU each do more work than one guest with two.
   */
  processors?: number
  /** The time stamp counter counts instructions, so equal work gives equal counts. This is slow, and allows one CPU. */
  countInstructions?: boolean
  /** Additional kernel parameters, such as `audit=0`. */
  commandLine?: readonly string[]
  forwards?: readonly Forward[]
  /** Images in containerd besides busybox. */
  images?: readonly ImageName[]
  /**
   * Additional read-only disks: the disk with the serial `image-NAME` (at most 20 characters) is mounted at
   * /images/NAME.
   */
  disks?: readonly Disk[]
  /** Receives each line of the console. */
  log?: (line: string) => void
  /** Receives the duration of each step. */
  steps?: StepLog
  /** Milliseconds for the answer to a ping, after which the guest is killed; default 300,000. */
  timeout?: number
}

export interface RunOptions extends SpawnOptions {
  input?: Uint8Array | string
  /** Milliseconds after which the command is killed, and the run fails. */
  timeoutMs?: number
}

export interface RunResult {
  /** Exit status, or 128 plus the number of the signal that ended the command. */
  code: number
  stdout: string
  stderr: string
}

const bootLimit = 600_000
const usualTimeout = 300_000
const pingInterval = 5_000

/** A virtual machine with a kernel of Debian: AppArmor, BPF LSM, containerd, Node.js, this project at /varmor. */
export class Guest {
  readonly kernel: KernelName
  /** Version of the kernel, as `uname -r` prints it. */
  readonly release: string
  /**
   * Resolves when the guest has ended: with undefined after `stop`, otherwise with the reason (panic, out of memory, no
   * answer) and the last lines of its console.
   */
  readonly ended: Promise<Error | undefined>
  #folder: RunFolder
  #dismiss: () => void
  #qemu: ChildProcess
  #channel: Channel
  #console: Console
  #stopped = false
  #hung: string | undefined

  private constructor(parts: Parts) {
    this.kernel = parts.options.kernel
    this.release = parts.release
    this.#folder = parts.folder
    this.#dismiss = parts.dismiss
    this.#qemu = parts.qemu
    this.#channel = parts.channel
    this.#console = parts.console
    this.ended = this.#end()
  }

  /**
   * Boots a guest and resolves when it is ready for commands. Builds missing parts first.
   * @throws {NotAvailable} if the kernel is not available; otherwise with the end of the console. No process is left
   * behind.
   */
  static async boot(options: GuestOptions): Promise<Guest> {
    const steps = options.steps ?? (() => undefined)
    for (const folder of abandonedFolders()) await sweep(folder)
    const { kernel } = options
    const bootWith = (disks: readonly Disk[]): Promise<Guest> =>
      Guest.#bootWith({ kernel, processors: 2 }, disks, steps)
    const root = await ensureRootImage(steps)
    const store = await ensureImageStore(options.images ?? [], root, bootWith, steps)
    return Guest.#bootWith(options, [{ serial: 'image-store', image: store }, ...(options.disks ?? [])], steps)
  }

  static #bootWith(options: GuestOptions, images: readonly Disk[], steps: StepLog): Promise<Guest> {
    return onceMoreAfterEmulation('it is booted', () => Guest.#bootOnce(options, images, steps))
  }

  static async #bootOnce(options: GuestOptions, images: readonly Disk[], steps: StepLog): Promise<Guest> {
    const guest = new Guest(await start(options, images, steps))
    try {
      await measured(steps, `boot of ${guest.release}`, () => guest.#boot(options.timeout ?? usualTimeout))
    } catch (error) {
      await guest.stop()
      throw error
    }
    return guest
  }

  /** Starts a command and returns its streams. Use `sh -c` for shell syntax. */
  spawn(command: readonly string[], options: SpawnOptions = {}): GuestProcess {
    return this.#channel.spawn(command, options)
  }

  /**
   * Runs a command until it has ended, with any exit status, and its output is closed.
   * @throws if it cannot be started, takes too long, or the guest ends
   */
  async run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const process = this.spawn(command, options)
    process.stdin.end(options.input ?? '')
    const finished = Promise.all([process.closed, text(process.stdout), text(process.stderr)])
    const late = new AbortController()
    const limit = this.#limit(process, command, options.timeoutMs, late.signal)
    try {
      const [{ code }, stdout, stderr] = await (limit === undefined ? finished : Promise.race([finished, limit]))
      return { code, stdout, stderr }
    } finally {
      late.abort()
    }
  }

  /** The QEMU process on the host. */
  get pid(): number {
    return this.#qemu.pid!
  }

  /** The folder of this guest's files on the host. */
  get folder(): string {
    return this.#folder.path
  }

  /** The last lines of the console. */
  consoleTail(): string {
    return this.#console.tail()
  }

  /** Stops the guest at once and removes its files. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#qemu.kill('SIGKILL')
    await this.ended
  }

  async #limit(
    process: GuestProcess,
    command: readonly string[],
    milliseconds: number | undefined,
    signal: AbortSignal,
  ): Promise<never> {
    await pause(milliseconds ?? 2 ** 31 - 1, undefined, { signal }).catch(() => new Promise(() => undefined))
    process.kill()
    throw new Error(`${command.join(' ')}: took more than ${milliseconds} ms`)
  }

  async #boot(timeout: number): Promise<void> {
    const late = new AbortController()
    const outcome = await Promise.race([
      this.#channel.ready.then(() => 'ready' as const),
      this.ended,
      pause(bootLimit, 'late' as const, { signal: late.signal }).catch(() => undefined),
    ])
    late.abort()
    if (outcome === 'late') throw this.#failure(`the guest (kernel ${this.kernel}) did not boot`)
    if (outcome !== 'ready') throw outcome ?? new Error('the guest was stopped')
    void this.#watch(timeout)
  }

  /** Pings the guest's first process, which answers unless the kernel no longer schedules it. */
  async #watch(timeout: number): Promise<void> {
    while (!this.#stopped && this.#qemu.exitCode === null && this.#qemu.signalCode === null) {
      const late = new AbortController()
      const unanswered = pause(timeout, true, { signal: late.signal, ref: false }).catch(() => false)
      const answered = this.#channel.ping().then(() => false)
      if (await Promise.race([answered, unanswered, this.ended.then(() => false)])) {
        this.#hung = `the guest (kernel ${this.kernel}) has given no sign of life for ${timeout / 1000} s`
        this.#qemu.kill('SIGKILL')
      }
      late.abort()
      await Promise.race([pause(pingInterval, undefined, { ref: false }), this.ended])
    }
  }

  #failure(what: string): Error {
    return new Error(`${what}. The end of its console:\n${this.#console.tail()}`)
  }

  async #end(): Promise<Error | undefined> {
    const [code, signal] = (await once(this.#qemu, 'close')) as [number | null, string | null]
    const how = signal ?? `exit status ${code}`
    const reason = this.#hung ?? reasonOnConsole(this.kernel, this.#console.text) ?? `the guest has ended (${how})`
    const error = this.#stopped ? undefined : this.#failure(reason)
    this.#channel.end(error ?? new Error('the guest was stopped'))
    await sweep(this.#folder)
    this.#dismiss()
    return error
  }
}

interface Parts {
  options: GuestOptions
  release: string
  folder: RunFolder
  dismiss: () => void
  qemu: ChildProcess
  channel: Channel
  console: Console
}

async function start(options: GuestOptions, images: readonly Disk[], steps: StepLog): Promise<Parts> {
  const kernel = await ensureKernel(options.kernel, steps)
  const initramfs = await ensureInitramfs(kernel, steps)
  const disks = [
    { serial: 'root', image: await ensureRootImage(steps) },
    { serial: 'modules', image: kernel.modulesImage },
    { serial: 'project', image: await ensureProjectImage(steps) },
    { serial: 'dependencies', image: await ensureDependenciesImage(steps) },
    ...images,
  ]
  const folder = createRunFolder()
  const dismiss = watchOver(folder)
  const channel = await Channel.listen(join(folder.path, 'channel'))
  const command = qemuCommand({
    vmlinuz: kernel.vmlinuz,
    initramfs,
    disks,
    memoryMiB: options.memoryMiB ?? 2_048,
    processors: options.processors ?? 1,
    countInstructions: options.countInstructions ?? false,
    commandLine: options.commandLine ?? [],
    forwards: options.forwards ?? [],
    channel: join(folder.path, 'channel'),
  })
  const console = new Console(options.log)
  const qemu = await launch(command, folder, console)
  return { options, release: kernel.release, folder, dismiss, qemu, channel, console }
}

/** The kernel kills QEMU when this process ends for any reason; the folder's watchdog does the same. */
async function launch(command: string[], folder: RunFolder, console: Console): Promise<ChildProcess> {
  const qemu = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, [folderVariable]: folder.path },
  })
  for (const stream of [qemu.stdout!, qemu.stderr!]) {
    stream.setEncoding('utf8').on('data', (bytes: string) => console.take(bytes))
  }
  await once(qemu, 'spawn')
  return qemu
}
