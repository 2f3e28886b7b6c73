import type { UnresolvedReason } from '../batch/batch.ts'
import { type Fragment, fragment } from '../encode/output.ts'
import type { PidResolver } from './pid-resolver.ts'
import { type ProcessFacts, processJson } from './process-facts.ts'
import type { KnownContainer, Snapshot } from './snapshot.ts'
import { cgroupKey, mountKey, type WaitKey, waitsForNothing } from './wait-keys.ts'

/** Whose event it is: a container, or the reason why none could be found. */
export interface Attribution {
  container: KnownContainer | undefined
  reason: UnresolvedReason | undefined
  /** Inode number of the mount namespace of the process; 0 where nobody knows it. */
  mntNsID: number
  /** Unix seconds from which it holds: the pid was another process's before. */
  since: number
  /** Unix seconds of the events for which alone it holds; 0 for all. */
  second: number
  /** What news would have to be about to find more. */
  waitsFor: readonly WaitKey[]
  /** The field of a line about the process, from its comma on; empty where nothing is known. */
  process: string
  /** The same with what a line says of the container behind the standard keys. */
  about: Fragment
}

const found = (
  container: KnownContainer,
  mntNsID: number,
  since: number,
  second = 0,
  facts: ProcessFacts | undefined = undefined,
): Attribution => {
  const process = facts === undefined ? '' : processJson(facts)
  return {
    container,
    reason: undefined,
    mntNsID: mntNsID === 0 ? container.info.mntNsID : mntNsID,
    since,
    second,
    waitsFor: waitsForNothing,
    process,
    about: process === '' ? container.about : fragment(process + container.about.text),
  }
}

const nothing = fragment('')

const lost = (
  reason: UnresolvedReason,
  waitsFor: readonly WaitKey[],
  mntNsID = 0,
  since = 0,
  second = 0,
  facts: ProcessFacts | undefined = undefined,
): Attribution => {
  const process = facts === undefined ? '' : processJson(facts)
  const about = process === '' ? nothing : fragment(process)
  return { container: undefined, reason, mntNsID, since, second, waitsFor, process, about }
}

/** Of a record that names no process. */
export const nobody = lost('no-pid', waitsForNothing)

const forGood: ReadonlySet<UnresolvedReason> = new Set(['not-in-container', 'no-pid', 'profile-mismatch'])

/** Whether late information can still help. */
export const mayResolveLater = (reason: UnresolvedReason): boolean => !forGood.has(reason)

/**
 * The same of a record with profiles of ours, if the container that was found may run in them. The runtime has given a
 * container one profile, for ever; whoever runs in another one of ours went there by himself (`aa-exec` from a container
 * without a profile), or the container is not that of the process: it is named in neither case.
 * @param own as an object by which the container remembers that they were found to be right
 */
export function checked(attribution: Attribution, own: { own: readonly string[] }): Attribution {
  const { container } = attribution
  if (container === undefined || container.fitting === own) return attribution
  const { profileName, appArmorProfile } = container.info
  // Nobody said what it runs in.
  const isOpen = profileName === '' && appArmorProfile === undefined
  if (isOpen || own.own.every((name) => name === profileName || name === appArmorProfile)) {
    container.fitting = own
    return attribution
  }
  const about = fragment(attribution.process)
  return { ...attribution, container: undefined, reason: 'profile-mismatch', waitsFor: waitsForNothing, about }
}

/**
 * Finds the container of a process by its cgroup, else by its mount namespace, else as the container's first process.
 * The cgroup comes first because a container can leave its mount namespace.
 *
 * That only one container has the profile of a record does not name it: another one of the same policy may have come and
 * gone between two events of the runtime, and a profile is open to others than the node's containers (`aa-exec`, the
 * annotation of a pod that the policy does not select, containers of another runtime).
 * @param eventTime unix seconds.
 */
export function attribute(pid: number, eventTime: number, snapshot: Snapshot, resolver: PidResolver): Attribution {
  if (pid === 0) return nobody
  const membership = resolver.resolve(pid, eventTime)
  if (typeof membership === 'string') {
    const first = membership === 'process-gone' ? snapshot.withInitPid(pid) : undefined
    return first === undefined ? lost(membership, [pid]) : found(first, 0, 0)
  }
  const { containerID, mntNsID, since, second, inherited = false, process } = membership
  const container = snapshot.container(containerID) ?? snapshot.inMountNamespace(mntNsID)
  if (container !== undefined) return found(container, mntNsID, since, second, process)
  if (containerID !== '')
    return lost('container-unknown', [containerID, mountKey(mntNsID)], mntNsID, since, second, process)
  if (inherited) return lost('process-gone', [pid], 0, since, second)
  return lost('not-in-container', waitsForNothing, mntNsID, since, second, process)
}

/**
 * Finds the container of a BPF record: by the cgroup or the mount namespace that the program has seen, which need no
 * living process, else as above.
 */
export function attributeRecord(
  record: { cgroup: bigint; mntNsID: number; pid: number },
  eventTime: number,
  snapshot: Snapshot,
  resolver: PidResolver,
): Attribution {
  const { cgroup, mntNsID, pid } = record
  const container = snapshot.inCgroup(cgroup) ?? snapshot.inMountNamespace(mntNsID)
  if (container !== undefined) return found(container, mntNsID, 0)
  const attribution = attribute(pid, eventTime, snapshot, resolver)
  const { waitsFor } = attribution
  // The record itself says of the process what there is to say.
  const own = { process: '', about: attribution.container?.about ?? nothing }
  return { ...attribution, ...own, mntNsID, waitsFor: [...waitsFor, cgroupKey(cgroup), mountKey(mntNsID)] }
}
