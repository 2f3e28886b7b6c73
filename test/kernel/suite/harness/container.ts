import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import type { ContainerInfo } from '../../../../src/audit/enrich/snapshot.ts'
import { output } from '../../../cluster/command.ts'
import { busyboxImage } from '../../images/names.ts'
import { type Answer, ContainedShell } from '../contained-shell.ts'

/** A line for a shell, or a program and its arguments, which run without a shell. */
export type Command = string | readonly string[]

export interface ContainerOptions {
  image?: string
  /** Flags of `ctr run`, such as `--privileged`. */
  flags?: readonly string[]
  /** The profile of the container's events whose records do not name a profile: seccomp's records. */
  profileName?: string
  /** As in ContainerInfo. */
  refusedCalls?: string
}

const said = '/tmp/.said'
/** A FIFO that the shell keeps open as descriptor 9. */
const gate = '/tmp/.gate'
/** Prints a file as cat(1) does, but in the shell, because starting a program is slow under emulation. */
const printSaid = `while IFS= read -r line || [ -n "$line" ]; do printf '%s\\n' "$line"; done < ${said}`
const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
const shellWords = (command: Command): string =>
  (typeof command === 'string' ? ['sh', '-c', command] : command).map(quote).join(' ')

/**
 * The ids have the length of Kubernetes ids, because the agent finds containers by such ids in the paths of cgroups.
 */
export const containerIdOf = (name: string): string => createHash('sha256').update(name).digest('hex')

/**
 * A container of one pod. Its first process runs commands unconfined, or each command under a profile that the command
 * enters through /proc/self/attr/exec, as runtimes do. So one container serves any number of profiles.
 */
export class Container {
  /** The agent's data about the container. */
  readonly info: ContainerInfo
  readonly #shell: ContainedShell

  private constructor(info: ContainerInfo, shell: ContainedShell) {
    this.info = info
    this.#shell = shell
  }

  static async start(name: string, options: ContainerOptions = {}): Promise<Container> {
    const { image = busyboxImage, flags = [], profileName = '', refusedCalls } = options
    const containerID = containerIdOf(name)
    const shell = await ContainedShell.start(containerID, undefined, flags, image)
    await shell.run(`mkfifo ${gate}; exec 9<> ${gate}`)
    const initPid = await firstProcess(containerID)
    const mntNsID = Number(/\d+/.exec(readlinkSync(`/proc/${initPid}/ns/mnt`))?.[0])
    const pod = { podName: `${name}-0`, podNamespace: 'demo', podUID: `uid-of-${name}` }
    const refused = refusedCalls !== undefined && { refusedCalls }
    const info = { containerID, containerName: name, image, ...pod, initPid, mntNsID, profileName, ...refused }
    return new Container(info, shell)
  }

  /** Runs a command, confined by the profile if it is given. */
  async run(command: Command, profile?: string): Promise<Answer> {
    await this.begin(command, profile)
    return this.end()
  }

  /**
   * Starts a command. Its first process stays a zombie until `end`, so that a slow reader of the kernel's report still
   * finds its container. A shell reaps children after each builtin command, so the parent is a shell that only waits in
   * `read` until `end`.
   */
  async begin(command: Command, profile?: string): Promise<void> {
    const enter = profile === undefined ? '' : `printf %s 'exec ${profile}' > /proc/self/attr/exec && `
    const held = `{ ${enter}exec ${shellWords(command)}; } > ${said} 2>&1 9<&- &`
    await this.#shell.run(`{ ${held} read -r go <&9; wait $!; } & held=$!`)
  }

  /** Waits until the command that `begin` started has ended. */
  end(): Promise<Answer> {
    return this.#shell.run(`echo >&9; wait $held; code=$?; ${printSaid}; (exit $code)`)
  }

  /** Path, on the node, of the last started command's output. */
  get said(): string {
    return `/proc/${this.info.initPid}/root${said}`
  }

  /** Opens a file for reading in the container's first process. */
  async read(path: string): Promise<void> {
    await this.#shell.run(`read -r line < ${path}`)
  }

  stop(): Promise<void> {
    return this.#shell.stop()
  }
}

/** The pid of the container's first process, in the node's pid namespace. */
export async function firstProcess(id: string): Promise<number> {
  const tasks = await output('ctr', ['-n', 'k8s.io', 'task', 'ls'])
  const pid = Number(new RegExp(`^${id}\\s+(\\d+)`, 'm').exec(tasks)?.[1])
  if (!Number.isInteger(pid)) throw new Error(`no task of ${id}:\n${tasks}`)
  // Waits until the process is a shell, and not runc before its exec.
  readFileSync(`/proc/${pid}/cgroup`)
  return pid
}
