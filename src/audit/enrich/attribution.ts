import type { UnresolvedReason } from '../batch/batch.ts'
import { type Fragment, fragment } from '../encode/output.ts'
import type { LivingFork, NoProcess, PidResolver } from './pid-resolver.ts'
import { type ProcessFacts, processJson } from './process-facts.ts'
import { type ContainerInfo, type KnownContainer, numberedSince, type Snapshot } from './snapshot.ts'
import { cgroupKey, mountKey, numberKey, type WaitKey, waitsForNothing } from './wait-keys.ts'

/** Whose event it is: a container, or the reason why none could be found. */
export interface Attribution {
  container: KnownContainer | undefined
  reason: UnresolvedReason | undefined
  /** Inode number of the mount namespace of the process; 0 where nobody knows it. */
  mntNsID: number
  /** Unix seconds from which it holds: the pid was another process's before. */
  since: number
  /** Unix seconds of the events for which alone it holds; 0 for all, NaN for no other one. */
  second: number
  /** With which it holds for other seconds, too. */
  fork: LivingFork | undefined
  /** Whose records they are where the container is not named, as far as that is known: a container. Empty where it is not. */
  holder: string
  /** What news would have to be about to find more. */
  waitsFor: readonly WaitKey[]
  /** The field of a line about the process, from its comma on; empty where nothing is known. */
  process: string
  /** The same with what a line says of the container behind the standard keys. */
  about: Fragment
}

const nothing = fragment('')

/** What was made of facts, which are the same object for as long as nothing is new about the process. */
const described = new WeakMap<ProcessFacts, { process: string; ofContainer: Fragment; about: Fragment }>()

/** The texts of a process and its container. Most events find them made: making them costs more than all else of a line. */
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

/** Of a record that names no process. */
export const nobody = lost('no-pid', waitsForNothing)

const forGood: ReadonlySet<UnresolvedReason> = new Set(['not-in-container', 'no-pid', 'profile-mismatch'])

/** Whether late information can still help. */
export const mayResolveLater = ({ reason, waitsFor }: Attribution): boolean =>
  reason !== undefined && !forGood.has(reason) && waitsFor.length > 0

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
  const mismatch = {
    container: undefined,
    reason: 'profile-mismatch',
    fork: undefined,
    waitsFor: waitsForNothing,
  } as const
  return { ...attribution, ...mismatch, about }
}

/**
 * Finds the container of a process by its cgroup; of one whose cgroup names none, by its mount namespace, which its first
 * process must still be in: the number of a namespace that has gone is given to the next one. The cgroup comes first because a
 * container can leave its mount namespace. That a process had the pid of a container's first process says nothing.
 *
 * That only one container has the profile of a record does not name it: another one of the same policy may have come and
 * gone between two events of the runtime, and a profile is open to others than the node's containers (`aa-exec`, the
 * annotation of a pod that the policy does not select, containers of another runtime).
 * @param eventTime unix seconds, with a fraction where the record has one.
 * @param payer on whose account /proc is looked into.
 */
export function attribute(
  pid: number,
  eventTime: number,
  snapshot: Snapshot,
  resolver: PidResolver,
  payer = '',
): Attribution {
  if (pid === 0) return nobody
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
  // Neither is surely in no container: what is of nobody's is passed over.
  if (inherited) return lost('process-gone', [pid], 0, since, second)
  if (snapshot.inMountNamespace(mntNsID) !== undefined)
    return lost('container-unknown', [mountKey(mntNsID)], mntNsID, since, second, process)
  return lost('not-in-container', waitsForNothing, mntNsID, since, second, process)
}

/** Of an old log nobody can ask: what was given with it counts. */
function unknown(reason: NoProcess, pid: number, snapshot: Snapshot, resolver: PidResolver): Attribution {
  const first = resolver.living === undefined ? snapshot.withInitPid(pid) : undefined
  if (first !== undefined) return found(first, 0, 0)
  // What nobody may ask /proc for now would fare no better later, unless a record has more than its pid to wait for.
  const waitsFor = reason === 'lookup-limit' ? waitsForNothing : [pid]
  // Of two that had a pid, another event may be of the other one.
  return lost(reason, waitsFor, 0, 0, reason === 'pid-reused' ? Number.NaN : 0)
}

/** The container that is in a mount namespace now, if that is certain. */
function inMountNamespace(inode: number, snapshot: Snapshot, resolver: PidResolver): KnownContainer | undefined {
  const container = snapshot.inMountNamespace(inode)
  return container !== undefined && holdsNamespace(container.info, inode, resolver) ? container : undefined
}

/** Where nobody said which process is the first, whoever said which the namespace is vouches for it. */
function holdsNamespace(
  { initPid, initStart, containerID }: ContainerInfo,
  inode: number,
  resolver: PidResolver,
): boolean {
  if (resolver.living === undefined || initPid === 0) return true
  const first = resolver.living(initPid, containerID)
  return first?.mntNsID === inode && (initStart === undefined || first.startTicks === initStart)
}

/** What a BPF record says of whose it is. */
export interface RecordOrigin {
  /** Of the container that its task is bound to; 0 for none. */
  number: number
  cgroup: bigint
  mntNsID: number
  pid: number
  /** Seconds since the boot at which it was made. */
  uptime: number
}

/**
 * Finds the container of a BPF record: by its number, which the task carries, where nothing says otherwise; else by the cgroup or the mount
 * namespace that the program has seen, which need no living process; else as above. The kernel gives the id of a cgroup to no other one.
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
  // The record itself says of the process what there is to say.
  const own = { process: '', about: attribution.container?.about ?? nothing }
  if (holder !== undefined && attribution.container !== holder)
    return lost('container-mismatch', waitsForNothing, mntNsID)
  const waitsFor = [...attribution.waitsFor, cgroupKey(cgroup), mountKey(mntNsID)]
  if (number > 0) waitsFor.push(numberKey(number))
  // The number may be that of a container which is not known yet.
  if (attribution.container !== undefined && !mayHave(attribution.container, record))
    return { ...lost('container-mismatch', waitsFor, mntNsID), holder: payer }
  return { ...attribution, ...own, mntNsID, holder: payer, waitsFor }
}

/** The container that had the number when the record was made; one that got it later is another one. */
function holderOf({ number, uptime }: RecordOrigin, snapshot: Snapshot): KnownContainer | undefined {
  const container = number === 0 ? undefined : snapshot.numbered(number)
  return container === undefined || uptime < numberedSince(container.info) ? undefined : container
}

/**
 * The holder of the number or, of two that had it, the witness. A container may leave its mount namespace, and have cgroups below its own:
 * those are of no known container. Where both differ, only the time shows that the number was the holder's.
 */
function agreed(
  holder: KnownContainer,
  witness: KnownContainer | undefined,
  { number, mntNsID }: RecordOrigin,
): KnownContainer | undefined {
  if (witness === holder) return holder
  if (witness !== undefined) return witness.info.bpfNumber === number ? witness : undefined
  const { info } = holder
  // Under version 1 no container has a cgroup that records name.
  const isWhereItWas = info.mntNsID === mntNsID || info.cgroupID === undefined
  return isWhereItWas || numberedSince(info) > 0 ? holder : undefined
}

/** The number of a mount namespace is soon given to another one: a container that got its number later is not meant. */
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

/** Whether the record's number may have been the container's. */
const mayHave = ({ info }: KnownContainer, { number, uptime }: RecordOrigin): boolean =>
  number === 0 || info.bpfNumber === undefined || info.bpfNumber === number || uptime < numberedSince(info)

/** The container that is in a mount namespace since before the event. */
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
