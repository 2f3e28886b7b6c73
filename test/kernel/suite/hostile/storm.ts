import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { ContainerInfo } from '../../../../src/audit/enrich/snapshot.ts'
import { output } from '../../../cluster/command.ts'
import { debianRoot } from '../audit/burst.ts'
import { forgeries } from './texts.ts'
import { type Actor, profile, program, textsFile } from './world.ts'

/** Path of the program on the node, outside of containers. */
const outside = `${debianRoot}${program}`
/** Number of short-lived containers per round, and number of texts that are sent in a round. */
const brief = 12
/** Number of files that a process touches in turn, with a pause after each. */
const slow = 20
/**
 * The prefix is the same in every round, so that container ids repeat, unlike ids of pods. The agent's data about the
 * containers stays true.
 */
const briefId = (known: boolean): string => (known ? 'a' : 'b').repeat(56)

const groupOf = (id: string): string => `/kubepods/besteffort/pod${id.slice(0, 56)}/cri-containerd-${id}.scope`
const idOf = (prefix: string, number: number): string => prefix + number.toString(16).padStart(8, '0')

const unnamed = { containerName: '', image: '', podName: '', podNamespace: 'demo', podUID: '' }

/** Containers that end before the agent reads their records. The agent knows them before they start. */
export function briefContainers(): ContainerInfo[] {
  return Array.from({ length: brief }, (_, number) => {
    const containerID = idOf(briefId(true), number)
    const own = { profileName: profile, appArmorProfile: profile, cgroupPath: groupOf(containerID) }
    return { ...unnamed, containerID, initPid: 0, mntNsID: 0, ...own }
  })
}

/** Owners in a storm: container ids by the names that the processes use. */
export function ownersOf(actors: readonly Actor[]): Map<string, string> {
  const owners = new Map(actors.map(({ name, info }) => [name, info.containerID]))
  // Processes of the node itself are in no container.
  owners.set('host', '')
  for (const known of [true, false])
    for (let number = 0; number < brief; number++) {
      const id = idOf(briefId(known), number)
      owners.set(id, id)
    }
  return owners
}

/**
 * A container that ends while the agent still has its data; the kernel reuses its pid and its mount namespace's number.
 */
export class Mayfly {
  readonly info: ContainerInfo
  readonly #process: ChildProcess

  private constructor(info: ContainerInfo, process: ChildProcess) {
    this.info = info
    this.#process = process
  }

  static async start(): Promise<Mayfly> {
    const containerID = 'd'.repeat(64)
    const group = groupOf(containerID)
    mkdirSync(`/sys/fs/cgroup${group}`, { recursive: true })
    const script = `echo $$ > /sys/fs/cgroup${group}/cgroup.procs; exec unshare -m sleep 100000`
    const child = spawn('sh', ['-c', script], { stdio: 'ignore' })
    while (!readFileSync(`/proc/${child.pid}/cmdline`, 'latin1').startsWith('sleep')) await pause(20)
    const mntNsID = statSync(`/proc/${child.pid}/ns/mnt`).ino
    const own = { profileName: profile, appArmorProfile: profile, cgroupPath: group }
    return new Mayfly({ ...unnamed, containerID, initPid: child.pid!, mntNsID, ...own }, child)
  }

  async end(): Promise<void> {
    const closed = once(this.#process, 'close')
    this.#process.kill('SIGKILL')
    await closed
    rmdirSync(`/sys/fs/cgroup${this.info.cgroupPath}`)
  }
}

/** Touches files from a shell that stays alive, so that the agent finds the process in /proc. */
const slowly = (owner: string): string =>
  `{ i=0; while [ $i -lt ${slow} ]; do true > /mark/${owner}.slow$i; i=$((i+1)); sleep 0.1; done; } 2> /dev/null && echo ${slow}`

export interface Strength {
  /** Approximate number of violations. */
  records: number
  /** Number of violations that each process causes before it ends. */
  each: number
}

/**
 * Runs processes of all owners concurrently, which start and end as fast as possible.
 * @returns the number of violations
 */
export async function storm(victim: Actor, attacker: Actor, { records, each }: Strength): Promise<number> {
  const texts = textsFile('storm', forgeries(victim.info, 'victim', profile).slice(0, 4))
  const children = Math.ceil(records / each / 2.4)
  const few = Math.ceil(children / 5)
  const onHost = async (...args: string[]): Promise<number> => lastNumber(await output(outside, args))
  const inside = (actor: Actor, ...more: string[]): Promise<number> => {
    const own = `${program} fork ${actor.name} ${children} ${each}`
    return actor.run('sh', '-c', `${[own, slowly(actor.name), ...more].join(' & ')}; wait`)
  }
  // Children send audit records like those of a bus daemon and end; the kernel gives their pids to other processes,
  // including the node's.
  const senders = `${program} send-from-children ${texts} 1107 ${few} > /dev/null`
  const counts = await Promise.all([
    inside(victim),
    inside(attacker, senders),
    onHost('in-profile', profile, 'fork', 'host', String(few), String(each)),
    ...[true, false].map((known) => onHost('containers', briefId(known), String(brief), profile, '3')),
  ])
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The last number that a program prints; its children print their numbers earlier. */
const lastNumber = (text: string): number => Number(text.trimEnd().split('\n').at(-1))
