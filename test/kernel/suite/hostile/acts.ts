import type { ContainerInfo } from '../../../../src/audit/enrich/snapshot.ts'
import { forgeries, hostileNames } from './texts.ts'
import { type Actor, profile, program, textsFile, vault } from './world.ts'

/** Results of the two containers' actions. */
export interface Done {
  /** Violations of both containers. */
  happened: number
  /** Texts that the kernel accepted as audit records. */
  sent: number
  /** Texts that the kernel should have refused but accepted. */
  slipped: number
}

/** Types of audit records that processes may send (kernel/audit.c, audit_netlink_ok()). */
const sendable = [
  [1100, 1106],
  [1108, 1199],
  [2100, 2999],
] as const
/** Record types of the kernel itself, and types that would change its settings. */
const kernels = [
  [1300, 1330],
  [1400, 1420],
  [1500, 1510],
] as const

const some = 10

/** Runs all known ways in which a container could make its violations look like another container's. */
export async function attack(attacker: Actor, victim: Actor): Promise<Done> {
  const texts = forgeries(victim.info, 'victim', profile)
  const file = textsFile('texts', texts)
  const few = textsFile('few', [texts[0]!, `\n${texts[4]}`])
  const names = textsFile('names', hostileNames(texts))
  const run = (...command: string[]): Promise<number> => attacker.run(program, ...command)
  const touch = ['touch', 'attacker', String(some)]
  const done: Done = { happened: 0, sent: 0, slipped: 0 }
  const happen = async (...made: Promise<number>[]): Promise<void> => {
    for (const count of await Promise.all(made)) done.happened += count
  }

  done.sent += await run('send', file, '1107', '1107')
  done.sent += await run('send-from-children', file, '1107', String(texts.length))
  for (const [first, last] of sendable) done.sent += await run('send', few, String(first), String(last))
  for (const [first, last] of kernels) done.slipped += await run('send', few, String(first), String(last))
  done.slipped += await attacker.run('unshare', '-Ur', program, 'send', file, '1107', '1107')
  await run('kmsg', file)

  const own = (who: Actor, name: string): Promise<number> => who.run(program, 'touch', name, String(some))
  await happen(own(victim, 'victim'), own(attacker, 'attacker'))
  await happen(victim.run(program, 'call', 'victim', String(some)), run('call', 'attacker', String(some)))
  await happen(run('names', 'attacker', names))
  await happen(run('fork', 'attacker', String(some), '2'), victim.run(program, 'fork', 'victim', String(some), '2'))
  for (const group of groupsOf(attacker.info, victim.info)) await happen(run('in-group', group, ...touch))
  for (const flags of ['-Ur', '-Urm', '-Urpf', '-UrmpfCiu'])
    await happen(attacker.run('unshare', flags, program, ...touch))
  for (const group of groupsOf(attacker.info, victim.info).slice(0, 1))
    await happen(attacker.run('unshare', '-Urmpf', program, 'in-group', group, ...touch))
  // The process runs outside containers, because a process in a container cannot change its profile here under
  // `no_new_privs`.
  for (const label of [vault, profile]) await happen(attacker.runIn(undefined, program, 'in-profile', label, ...touch))
  return done
}

/** Cgroups with the victim's name that a container can create if the node's cgroups are mounted at /cg. */
function groupsOf({ cgroupPath }: ContainerInfo, victim: ContainerInfo): string[] {
  const id = victim.containerID
  return [
    `/cg${cgroupPath}/${id}`,
    `/cg${cgroupPath}/cri-containerd-${id}.scope/deeper`,
    `/cg${cgroupPath}/docker-${id}.scope (deleted)`,
    `/cg/${id}`,
    `/cg/kubepods/besteffort/pod1/cri-containerd-${id}.scope`,
  ]
}
