import type { UnresolvedReason } from '../batch/batch.ts'
import { type Fragment, fragment } from '../encode/output.ts'
import type { LivingFork, NoProcess, PidResolver } from './pid-resolver.ts'
import { type ProcessFacts, processJson } from './process-facts.ts'
import { type ContainerInfo, type KnownContainer, numberedSince, type Snapshot } from './snapshot.ts'
import { cgroupKey, mountKey, numberKey, type WaitKey, waitsForNothing } from './wait-keys.ts'

/** The owner of an event: a container, or the reason why it was not found. */
export interface Attribution {
  container: KnownContainer | undefined
  reason: UnresolvedReason | undefined
  /** Inode number of the process's mount namespace; 0 if unknown. */
  mntNsID: number
  /** Unix seconds from which the attribution is valid. Before this time, the pid belonged to another process. */
  since: number
  /** The attribution is valid for events of this Unix second. 0: for all events; NaN: only for the current event. */
  second: number
  /** While this process lives, the attribution is also valid for other seconds. */
  fork: LivingFork | undefined
  /** The owner of the waiting record while its container is unknown; empty if the owner is also unknown. */
  holder: string
  /** Keys whose news may resolve the event. */
  waitsFor: readonly WaitKey[]
  /** The line's field about the process, with the comma before it; empty if the process is unknown. */
  process: string
  /** The container's fields that follow the standard keys, and `process` after them. */
  about: Fragment
}

const nothing = fragment('')

/** The texts for each ProcessFacts. The object of a process is replaced when a fact about the process changes. */
const described = new WeakMap<ProcessFacts, { process: string; ofContainer: Fragment; about: Fragment }>()

/**
 * The texts of a process and its container. They are cached, because creating them takes longer than the rest of a
 * line.
 */
function describe(facts: ProcessFacts | undefined, ofContainer: Fragment): Pick<Attribution, 'process' | 'about'> {
  if (facts === undefined) return { process: '', about: ofContainer }
  let texts = described.get(facts)
  if (texts?.ofContainer !== ofContainer) {
    const process = processJson(facts)
    texts = { process, ofContainer, about: fragment(process + ofContainer.text) }
    described.set(facts, texts)
  }
  return texts
}

function found(
  container: KnownContainer,
  mntNsID: number,
  since: number,
  second = 0,
  facts: ProcessFacts | undefined = undefined,
  fork: LivingFork | undefined = undefined,
): Attribution {
  const { process, about } = describe(facts, container.about)
  return {
    container,
    reason: undefined,
    mntNsID: mntNsID === 0 ? container.info.mntNsID : mntNsID,
    since,
    second,
    fork,
    holder: '',
    waitsFor: waitsForNothing,
    process,
    about,
  }
}

function lost(
  reason: UnresolvedReason,
  waitsFor: readonly WaitKey[],
  mntNsID = 0,
  since = 0,
  second = 0,
  facts: ProcessFacts | undefined = undefined,
  holder = '',
): Attribution {
  const { process, about } = describe(facts, nothing)
  return { container: undefined, reason, mntNsID, since, second, fork: undefined, holder, waitsFor, process, about }
}

/** The attribution of a record that does not contain a pid. */
export const noProcess = lost('no-pid', waitsForNothing)

const forGood: ReadonlySet<UnresolvedReason> = new Set(['not-in-container', 'no-pid', 'profile-mismatch'])

/** Whether later information may resolve the event. */
export const mayResolveLater = ({ reason, waitsFor }: Attribution): boolean =>
  reason !== undefined && !forGood.has(reason) && waitsFor.length > 0

/**
 * Removes the container from an attribution if the record's profiles are not the container's. A container keeps its
 * profile for its life. So a process in another profile of ours has entered the profile itself (`aa-exec`), or is in
 * another container.
 * @param own the label. The container remembers the object after a successful check
 */
export function checked(attribution: Attribution, own: { own: readonly string[] }): Attribution {
  const { container } = attribution
  if (container === undefined || container.fitting === own) return attribution
  const { profileName, appArmorProfile } = container.info
  // The container's profile is unknown.
  const isOpen = profileName === '' && appArmorProfile === undefined
  if (isOpen || own.own.every((name) => name === profileName || name === appArmorProfile)) {
    container.fitting = own
    return attribution
  }
  const about = fragment(attribution.process)
  const mismatch = {
    container: undefined,
    reason: 'profile-mismatch',
    fork: undefined,
    waitsFor: waitsForNothing,
  } as const
  return { ...attribution, ...mismatch, about }
}

/**
 * Finds a process's container by its cgroup, because a container can leave its mount namespace. Without a cgroup, the
 * mount namespace decides, but only while the container's first process is in it: numbers of namespaces are reused. A
 * pid or profile does not decide, because other processes can have the same pid or profile.
 * @param payer the owner whose budget pays for reads of /proc
 */
export function attribute(
  pid: number,
  eventTime: number,
  snapshot: Snapshot,
  resolver: PidResolver,
  payer = '',
): Attribution {
  if (pid === 0) return noProcess
  const membership = resolver.resolve(pid, eventTime, payer)
  if (typeof membership === 'string') return unknown(membership, pid, snapshot, resolver)
  const { containerID, mntNsID, since, second, inherited = false, unplaced, process, fork } = membership
  if (containerID !== '') {
    const container = snapshot.container(containerID)
    if (container !== undefined) return found(container, mntNsID, since, second, process, fork)
    return lost('container-unknown', [containerID, mountKey(mntNsID)], mntNsID, since, second, process, containerID)
  }
  if (unplaced) return lost('cgroup-unreadable', [pid, mountKey(mntNsID)], mntNsID, since, second, process)
  const container = inMountNamespace(mntNsID, snapshot, resolver)
  if (container !== undefined) return found(container, mntNsID, since, second, process)
  // `not-in-container` drops the event, so return it only if the process is certainly outside all containers.
  if (inherited) return lost('process-gone', [pid], 0, since, second)
  if (snapshot.inMountNamespace(mntNsID) !== undefined)
    return lost('container-unknown', [mountKey(mntNsID)], mntNsID, since, second, process)
  return lost('not-in-container', waitsForNothing, mntNsID, since, second, process)
}

/** The answer for an unknown process. The processes of an old log have ended, so use the data given with the log. */
function unknown(reason: NoProcess, pid: number, snapshot: Snapshot, resolver: PidResolver): Attribution {
  const first = resolver.living === undefined ? snapshot.withInitPid(pid) : undefined
  if (first !== undefined) return found(first, 0, 0)
  // After a refused lookup, news about this pid does not help.
  const waitsFor = reason === 'lookup-limit' ? waitsForNothing : [pid]
  // Two processes had the pid: another event may belong to the other process.
  return lost(reason, waitsFor, 0, 0, reason === 'pid-reused' ? Number.NaN : 0)
}

/** The container to which a mount namespace certainly belongs at present. */
function inMountNamespace(inode: number, snapshot: Snapshot, resolver: PidResolver): KnownContainer | undefined {
  const container = snapshot.inMountNamespace(inode)
  return container !== undefined && holdsNamespace(container.info, inode, resolver) ? container : undefined
}

/**
 * Whether the container's first process is still in the namespace. If the process is unknown, the answer is yes.
 */
function holdsNamespace(
  { initPid, initStart, containerID }: ContainerInfo,
  inode: number,
  resolver: PidResolver,
): boolean {
  if (resolver.living === undefined || initPid === 0) return true
  const first = resolver.living(initPid, containerID)
  return first?.mntNsID === inode && (initStart === undefined || first.startTicks === initStart)
}

/** The facts in a BPF record that may identify its container. */
export interface RecordOrigin {
  /** Number of the container to which its task is bound; 0 if the task is not bound. */
  number: number
  cgroup: bigint
  mntNsID: number
  pid: number
  /** Seconds from boot to the record. */
  uptime: number
}

/**
 * Finds the container of a BPF record. The task's container number decides, unless another fact contradicts it. Next,
 * the cgroup or mount namespace in the record decides; this does not need a living process, and the kernel never reuses
 * a cgroup id. At last, the process decides, as in attribute().
 */
export function attributeRecord(
  record: RecordOrigin,
  eventTime: number,
  snapshot: Snapshot,
  resolver: PidResolver,
): Attribution {
  const { number, cgroup, mntNsID, pid } = record
  const witness = snapshot.inCgroup(cgroup) ?? mountWitness(record, eventTime, snapshot, resolver)
  const holder = holderOf(record, snapshot)
  const container = holder === undefined ? witness : agreed(holder, witness, record)
  if (container !== undefined && mayHave(container, record)) return found(container, mntNsID, 0)
  const payer = number > 0 ? String(numberKey(number)) : ''
  const attribution = attribute(pid, eventTime, snapshot, resolver, payer)
  // The record itself contains the facts about the process.
  const own = { process: '', about: attribution.container?.about ?? nothing }
  if (holder !== undefined && attribution.container !== holder)
    return lost('container-mismatch', waitsForNothing, mntNsID)
  const waitsFor = [...attribution.waitsFor, cgroupKey(cgroup), mountKey(mntNsID)]
  if (number > 0) waitsFor.push(numberKey(number))
  // The number may belong to a container that the agent does not know yet.
  if (attribution.container !== undefined && !mayHave(attribution.container, record))
    return { ...lost('container-mismatch', waitsFor, mntNsID), holder: payer }
  return { ...attribution, ...own, mntNsID, holder: payer, waitsFor }
}

/**
 * The container that had the number at the time of the record. A container that got the number later does not count.
 */
function holderOf({ number, uptime }: RecordOrigin, snapshot: Snapshot): KnownContainer | undefined {
  const container = number === 0 ? undefined : snapshot.numbered(number)
  return container === undefined || uptime < numberedSince(container.info) ? undefined : container
}

/**
 * Decides whether the container that has the number (`holder`) caused the record. The cgroup or mount namespace may
 * name another container (`witness`), or none: a container may leave its mount namespace, and create cgroups below its
 * own. If both facts disagree with the number, it counts only if we know since when the container has it.
 */
function agreed(
  holder: KnownContainer,
  witness: KnownContainer | undefined,
  { number, mntNsID }: RecordOrigin,
): KnownContainer | undefined {
  if (witness === holder) return holder
  if (witness !== undefined) return witness.info.bpfNumber === number ? witness : undefined
  const { info } = holder
  // With cgroup version 1, a record does not contain the container's cgroup.
  const isWhereItWas = info.mntNsID === mntNsID || info.cgroupID === undefined
  return isWhereItWas || numberedSince(info) > 0 ? holder : undefined
}

/**
 * The container that had the mount namespace at the time of the record. A container that got the namespace later does
 * not count, because the kernel soon reuses the numbers of mount namespaces.
 */
function mountWitness(
  { number, mntNsID, uptime }: RecordOrigin,
  eventTime: number,
  snapshot: Snapshot,
  resolver: PidResolver,
): KnownContainer | undefined {
  const container = heldSince(mntNsID, eventTime, snapshot, resolver)
  const isLater = container !== undefined && number > 0 && uptime < numberedSince(container.info)
  return isLater ? undefined : container
}

/** Whether the container may have had the record's number. */
const mayHave = ({ info }: KnownContainer, { number, uptime }: RecordOrigin): boolean =>
  number === 0 || info.bpfNumber === undefined || info.bpfNumber === number || uptime < numberedSince(info)

/** The container that has had a mount namespace since before the event. */
function heldSince(
  inode: number,
  eventTime: number,
  snapshot: Snapshot,
  resolver: PidResolver,
): KnownContainer | undefined {
  const container = inMountNamespace(inode, snapshot, resolver)
  if (container === undefined || resolver.living === undefined || container.info.initPid === 0) return container
  const first = resolver.living(container.info.initPid, container.info.containerID)
  return first !== undefined && first.since <= eventTime ? container : undefined
}
