import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import type { ContainerInfo } from '../../../../src/audit/enrich/snapshot.ts'
import { type CommandResult, output, result } from '../../../cluster/command.ts'
import { eventually } from '../../../cluster/wait.ts'
import { servicesImage } from '../../images/names.ts'
import type { Confinement } from '../harness/confined.ts'
import { Container, containerIdOf, firstProcess } from '../harness/container.ts'
import { powers, type Service, type Step, srvFolder, tokenPath } from './services.ts'

const ctr = (...words: readonly string[]): Promise<string> => output('ctr', ['-n', 'k8s.io', ...words])

/** Folder of the service account's token on the node. */
export const tokenFolder = '/tmp/services-token'

/** Runs clients in another container of the pod, which no policy confines. */
export class Clients {
  readonly #container: Container

  private constructor(container: Container) {
    this.#container = container
  }

  static async start(): Promise<Clients> {
    const mount = `type=bind,src=${srvFolder},dst=/srv,options=rbind:ro`
    return new Clients(await Container.start('clients', { image: servicesImage, flags: ['--mount', mount] }))
  }

  /** The root of the container's file system, as the node sees it. */
  get root(): string {
    return `/proc/${this.#container.info.initPid}/root`
  }

  /** Runs a line of bash in the network namespace of the process. */
  run(command: string, pid: number): Promise<CommandResult> {
    // The programs themselves, because /usr/bin has only a script that looks for the right version.
    const path = '/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    const words = [`-n/proc/${pid}/ns/net`, 'chroot', this.root, 'env', `PATH=${path}`, 'bash', '-c', command]
    return result('busybox', ['nsenter', ...words])
  }

  stop(): Promise<void> {
    return this.#container.stop()
  }
}

/** A service that is the first process of its container. */
export class Served {
  readonly service: Service
  readonly id: string
  readonly #clients: Clients
  readonly #confinement: Confinement
  #pid = 0

  private constructor(id: string, service: Service, clients: Clients, confinement: Confinement) {
    this.id = id
    this.service = service
    this.#clients = clients
    this.#confinement = confinement
  }

  /** @param started receives the agent's data about the container after each start */
  static async start(name: string, service: Service, clients: Clients, confinement: Confinement): Promise<Served> {
    const served = new Served(containerIdOf(name), service, clients, confinement)
    const { flags } = confinement
    const mounts = [
      `type=bind,src=${srvFolder},dst=/srv,options=rbind:ro`,
      `type=bind,src=${tokenFolder},dst=${dirname(tokenPath)},options=rbind:ro`,
    ]
    const given = [
      ...mounts.flatMap((mount) => ['--mount', mount]),
      ...powers.flatMap((power) => ['--cap-add', `CAP_${power.toUpperCase()}`]),
      ...(service.env ?? []).flatMap((one) => ['--env', one]),
    ]
    const log = ['--log-uri', `file://${served.#log}`]
    await ctr('run', '-d', ...log, ...given, ...flags, servicesImage, served.id, ...service.command)
    await served.#findFirstProcess()
    return served
  }

  async #findFirstProcess(): Promise<void> {
    this.#pid = await firstProcess(this.id).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.said.slice(-4000)}`, { cause: error })
    })
  }

  get pid(): number {
    return this.#pid
  }

  get info(): ContainerInfo {
    const { profileName, bpfNumber, refusedCalls } = this.#confinement
    const { name } = this.service
    return {
      containerID: this.id,
      containerName: name,
      image: servicesImage,
      podName: `${name}-0`,
      podNamespace: 'demo',
      podUID: `uid-of-${name}`,
      initPid: this.#pid,
      mntNsID: Number(/\d+/.exec(readlinkSync(`/proc/${this.#pid}/ns/mnt`))?.[0]),
      profileName,
      ...(bpfNumber !== undefined && { bpfNumber }),
      ...(refusedCalls !== undefined && { refusedCalls }),
    }
  }

  get #log(): string {
    return `/tmp/${this.id}.log`
  }

  /** The output of the service. */
  get said(): string {
    return readFileSync(this.#log, 'utf8')
  }

  /** Starts the service again, with its files from before. */
  async begin(): Promise<void> {
    await ctr('task', 'start', '-d', '--log-uri', `file://${this.#log}`, this.id)
    await this.#findFirstProcess()
  }

  async isReady(): Promise<void> {
    await eventually(`${this.service.name} to serve`, () => this.#tried(this.service.ready), 180_000).catch(
      (error: Error) => {
        throw new Error(`${error.message}\n${this.said.slice(-4000)}`, { cause: error })
      },
    )
  }

  async #tried(step: Step): Promise<boolean> {
    if ('client' in step) return (await this.#clients.run(step.client, this.#pid)).status === 0
    await this.do(step)
    return true
  }

  /** @throws if the step fails */
  async do(step: Step): Promise<void> {
    if ('client' in step) {
      const { status, stdout, stderr } = await this.#clients.run(step.client, this.#pid)
      if (status !== 0) throw new Error(`${step.client}: ${status}\n${stdout}${stderr}\n${this.said.slice(-4000)}`)
    } else if ('signal' in step) {
      process.kill(this.#pid, step.signal)
      // The service answers requests at the same time. It does most of a signal's work before the next request.
      await pause(1_000)
    } else if ('rename' in step) {
      const [from, to] = step.rename
      renameSync(`/proc/${this.#pid}/root${from}`, `/proc/${this.#pid}/root${to}`)
    } else await this.#counts(step)
  }

  async #counts({ counts, by }: { counts: string; by: number }): Promise<void> {
    const read = (): number => {
      try {
        return Number(readFileSync(`/proc/${this.#pid}/root${counts}`, 'utf8'))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
        throw error
      }
    }
    const before = read()
    const what = `${this.service.name} to count to ${before + by} in ${counts}`
    await eventually(what, async () => read() >= before + by, 180_000).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.said.slice(-4000)}`, { cause: error })
    })
  }

  async round(): Promise<void> {
    for (const step of this.service.round) await this.do(step)
  }

  /** Ends the service as its operator does, and waits until the service has ended by itself. */
  async end(): Promise<void> {
    process.kill(this.#pid, this.service.ends)
    await eventually(
      `${this.service.name} to end`,
      async () => new RegExp(`^${this.id}\\s+\\d+\\s+STOPPED`, 'm').test(await ctr('task', 'ls')),
      120_000,
    )
    await ctr('task', 'delete', this.id).catch((error: Error) => {
      // The exit status reports how the service ended.
      if (!error.message.endsWith(`exit status`) && !/exit status \d+\s*$/.test(error.message)) throw error
    })
  }

  async remove(): Promise<void> {
    await result('ctr', ['-n', 'k8s.io', 'task', 'delete', '--force', this.id])
    await ctr('container', 'delete', this.id)
  }
}

/**
 * Starts a process of the node in a container's pid namespace.
 * @returns also its pid there, which a container with shareProcessNamespace sees
 */
export async function neighbour(pid: number): Promise<{ number: number; process: ChildProcess }> {
  // Only a child of the process that enters is in the pid namespace.
  const process = spawn('busybox', ['nsenter', `-p/proc/${pid}/ns/pid`, 'sleep', '3600'], { stdio: 'ignore' })
  const number = await eventually('a process beside the service', async () => numberOfChild(process.pid!), 30_000)
  return { number, process }
}

/** The pid of a child in its own pid namespace. */
function numberOfChild(parent: number): number | undefined {
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    const status = statusOf(name)
    if (status.includes(`\nPPid:\t${parent}\n`)) return Number(/^NSpid:.*\t(\d+)$/m.exec(status)?.[1])
  }
  return undefined
}

function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch (error) {
    // The process has ended.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return ''
    throw error
  }
}

/**
 * Makes the system calls of an attack in the process.
 * @param held is called while the process is stopped, before its first call
 */
export async function overtake(
  clients: Clients,
  pid: number,
  words: readonly string[],
  held: () => Promise<void>,
): Promise<CommandResult> {
  const child = spawn(join(clients.root, 'probes/overtake'), [String(pid), ...words])
  const stderr = text(child.stderr)
  const closed = once(child, 'close')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'held') {
      await held()
      child.stdin.end('\n')
    } else lines.push(line)
  }
  const [status] = (await closed) as [number | null]
  return { status: status ?? -1, stdout: lines.join('\n'), stderr: await stderr }
}
