import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { ContainerInfo } from '../../../../src/audit/enrich/snapshot.ts'
import { output } from '../../../cluster/command.ts'
import { debianRoot } from '../audit/burst.ts'
import { forgeries } from './texts.ts'
import { type Actor, profile, program, textsFile } from './world.ts'

/** The program where no container is around. */
const outside = `${debianRoot}${program}`
/** Containers that begin and end within a round, and texts that are sent in it. */
const brief = 12
/** Files that are touched one after the other, with a pause. */
const slow = 20
/** The same for every round, so that their ids come again as those of pods do not: what is known of them stays true. */
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

/** Owners in a storm: the name that the processes give, and the id of their container. */
export function ownersOf(actors: readonly Actor[]): Map<string, string> {
  const owners = new Map(actors.map(({ name, info }) => [name, info.containerID]))
  // Processes of the node itself are in none.
  owners.set('host', '')
  for (const known of [true, false])
    for (let number = 0; number < brief; number++) {
      const id = idOf(briefId(known), number)
      owners.set(id, id)
    }
  return owners
}

/** A container that ends while the agent still remembers it: its pid and its mount namespace's number go to others. */
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

/** By a shell that lives on, so that there is something to be found in /proc. */
const slowly = (owner: string): string =>
  `{ i=0; while [ $i -lt ${slow} ]; do true > /mark/${owner}.slow$i; i=$((i+1)); sleep 0.1; done; } 2> /dev/null && echo ${slow}`

export interface Strength {
  /** About so many violations. */
  records: number
  /** Violations of each process before it ends. */
  each: number
}

/**
 * Processes of everybody, side by side, that begin and end as fast as they can.
 * @returns how many violations there were
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
  // Children that send what a bus daemon would, and are gone: their pids go to others, of the node as well.
  const senders = `${program} send-from-children ${texts} 1107 ${few} > /dev/null`
  const counts = await Promise.all([
    inside(victim),
    inside(attacker, senders),
    onHost('in-profile', profile, 'fork', 'host', String(few), String(each)),
    ...[true, false].map((known) => onHost('containers', briefId(known), String(brief), profile, '3')),
  ])
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The last number that a program prints. Its children print their numbers before. */
const lastNumber = (text: string): number => Number(text.trimEnd().split('\n').at(-1))
