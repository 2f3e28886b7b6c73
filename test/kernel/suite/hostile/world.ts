import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processFacts } from '../../../../src/agent/containers/process-facts.ts'
import type { ContainerInfo } from '../../../../src/audit/enrich/snapshot.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { debianRoot } from '../audit/burst.ts'
import { Container } from '../harness/container.ts'

/** Profile of the victim and the attacker. They share a policy, so the profile does not distinguish them. */
export const profile = 'varmor-demo-hostile'
/** Profile of a policy whose workloads do not run here. */
export const vault = 'varmor-demo-vault'
/** Folder in all containers, with their input files and for their output files. */
const share = '/share'
export const program = '/probes/hostile'

const rulesOf = (name: string): string => `profile ${name} flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  network,
  mount,
  umount,
  pivot_root,
  signal,
  unix,
  ptrace,
  change_profile,
  audit deny /mark/** wl,
}
`

/** The agent's data about containers and policies. */
export interface Known {
  containers: ContainerInfo[]
  policies: object[]
}

const policyOf = (profileName: string) => ({
  profileName,
  kind: 'VarmorPolicy',
  name: profileName.slice('varmor-demo-'.length),
  namespace: 'demo',
})

export const policies = [policyOf(profile), policyOf(vault)]

/** A container like those of the container runtime, with the agent's data about it. */
export class Actor {
  readonly name: string
  readonly info: ContainerInfo
  readonly #container: Container

  private constructor(name: string, info: ContainerInfo, container: Container) {
    this.name = name
    this.info = info
    this.#container = container
  }

  /** @param flags additional flags of `ctr run` */
  static async start(name: string, flags: readonly string[] = []): Promise<Actor> {
    const shared = ['--mount', `type=bind,src=${share},dst=${share},options=rbind:rw`]
    const container = await Container.start(name, { image: debianImage, flags: [...shared, ...flags] })
    const facts = await processFacts()(container.info.initPid, container.info.containerID)
    if (facts?.cgroupPath === undefined) throw new Error(`nothing is known of the cgroup of ${name}`)
    const info = { ...container.info, ...facts, profileName: profile, appArmorProfile: profile }
    const actor = new Actor(name, info, container)
    await container.run('mkdir -p /mark')
    return actor
  }

  /**
   * Runs `hostile` or another program in the container, with the container's confinement.
   * @returns the sum of the numbers that it prints
   */
  async run(...command: readonly string[]): Promise<number> {
    return this.runIn(profile, ...command)
  }

  async runIn(label: string | undefined, ...command: readonly string[]): Promise<number> {
    const { status, text } = await this.#container.run(command, label)
    const numbers = text.split('\n').filter((line) => line !== '')
    if (status !== 0 || numbers.length === 0 || !numbers.every((line) => /^\d+$/.test(line)))
      throw new Error(`${this.name}, ${command.join(' ')}: ${status}, ${text}`)
    return numbers.reduce((sum, line) => sum + Number(line), 0)
  }

  stop(): Promise<void> {
    return this.#container.stop()
  }
}

/** Prepares the profiles, images and folders of all containers. */
export async function prepare(): Promise<void> {
  await output('containerd-up', [])
  for (const folder of [debianRoot, share, '/mark']) mkdirSync(folder, { recursive: true })
  await output('ctr', ['-n', 'k8s.io', 'images', 'mount', '--rw', debianImage, debianRoot])
  const rules = `abi <abi/3.0>,\n${rulesOf(profile)}${rulesOf(vault)}`
  await output('apparmor_parser', ['--replace', '--skip-cache'], { input: rules })
}

/**
 * Writes texts for `hostile`.
 * @returns the path in the containers
 */
export function textsFile(name: string, texts: readonly string[]): string {
  const path = join(share, name)
  writeFileSync(path, texts.map((text) => `${text}\0`).join(''))
  return path
}

/**
 * Sets a kernel variable.
 * @returns a function that restores it
 */
export function setVariable(path: string, value: string): () => void {
  const file = join('/proc/sys', path)
  const before = readFileSync(file, 'latin1')
  writeFileSync(file, value)
  return () => writeFileSync(file, before)
}

/** The kernel assigns pids below this number only before pids wrap around (RESERVED_PIDS in kernel/pid.c). */
const lowestPid = 300

/** The lowest `kernel.pid_max` with this many free pids, which the kernel then reuses. */
export function pidMaxFor(free: number): string {
  const threads = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const taken = new Set(threads.flatMap(threadsOf))
  let max = lowestPid
  for (let left = free; left > 0; max++) if (!taken.has(String(max))) left--
  return String(max)
}

function threadsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    // The process has ended.
    return []
  }
}

export function removeShare(): void {
  rmSync(share, { recursive: true, force: true })
}
