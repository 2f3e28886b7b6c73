import { asciiJson } from '../encode/json-text.ts'
import type { LineOwner } from '../encode/line-owner.ts'
import { type Fragment, fragment } from '../encode/output.ts'
import { idOfPath, pathsTo } from './cgroup-path.ts'

/** What made a pod. */
export interface Workload {
  kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'Job'
  name: string
}

/** A container as the runtime knows it. Names as in a violation line. */
export interface ContainerInfo {
  containerID: string
  containerName: string
  image: string
  podName: string
  podNamespace: string
  podUID: string
  /** Of its first process, in the node's pid namespace. */
  initPid: number
  /** When that started, in ticks of 1/100 s since the boot, where known. */
  initStart?: number
  /** Inode number of its mount namespace. */
  mntNsID: number
  /** Its number in BPF records, where it has one. */
  bpfNumber?: number
  /** When it got that, in ticks of 1/100 s since the boot, where known. */
  bpfSince?: number
  /** Id of its cgroup (v2), where known: what BPF records carry, too. */
  cgroupID?: bigint
  /** Path of its own cgroup as /proc shows it to the agent, where known. */
  cgroupPath?: string
  /** Of the policy that protects it; empty for a container that no policy of ours protects. */
  profileName: string
  /** The AppArmor profile that the runtime gave it, of whomever; empty for none, absent where that is not known. */
  appArmorProfile?: string
  /** Where it is certain. */
  workload?: Workload
  /** Those of the pod's labels that a line has. */
  podLabels?: Readonly<Record<string, string>>
  /** There are more that were wanted. */
  podLabelsCut?: boolean
}

/** The policy that owns a profile, taken from the ArmorProfile's owner and never from the profile's name. */
export interface PolicyIdentity {
  profileName: string
  kind: 'VarmorPolicy' | 'VarmorClusterPolicy'
  name: string
  /** Empty for a VarmorClusterPolicy. */
  namespace: string
  /** The number by which BPF records name the profile. */
  bpfId?: number
  /**
   * Its policy models behaviour: what its profile lets pass is no violation. Which recording that is for; empty once it is over, while
   * containers still run in what it was recorded with.
   */
  modelling?: string
}

/** What the node knows, as a plain value that is sent to the workers. */
export interface SnapshotData {
  /** Counts up by one with every delta. */
  version: number
  nodeName: string
  /** Added to every line as it is (Helm value `auditEventMetadata`). */
  metadata: Record<string, unknown>
  /** Unix seconds of the boot, with a fraction where it is known: the zero of the times in BPF records. */
  bootTime: number
  /** Short form of the id of the boot (decode/boot-id.ts); left out where records are of another machine. */
  bootID?: string
  containers: readonly ContainerInfo[]
  policies: readonly PolicyIdentity[]
}

/**
 * A step from one version to the next. Whoever makes deltas removes a container or policy only some time after it is
 * gone, so that events still on their way find it.
 */
export interface SnapshotDelta {
  version: number
  containers?: readonly ContainerInfo[]
  /** Ids of containers to forget. */
  withoutContainers?: readonly string[]
  policies?: readonly PolicyIdentity[]
  /** Profile names to forget. */
  withoutPolicies?: readonly string[]
}

/** A container with its part of a line. */
export interface KnownContainer extends LineOwner {
  readonly info: ContainerInfo
  /** What a line says of it behind the standard keys, from the comma on. */
  readonly about: Fragment
  /** The last label that was found to be one that it may run in, by identity. */
  fitting: object | undefined
}

/** Seconds since the boot from which on records may be of the container, by its number; 0 where that is not known. */
export const numberedSince = ({ bpfSince, initStart }: ContainerInfo): number =>
  Math.max(bpfSince ?? 0, initStart ?? 0) / ticksPerSecond

const ticksPerSecond = 100

/** Of a process in a cgroup that is called after a known container and is not that container's. */
const elsewhere = '-'

/** Snapshot, indexed for lookups, with what is constant for a container encoded once. */
export class Snapshot {
  version: number
  readonly bootTime: number
  /** Empty where it is not known. */
  readonly bootID: string
  /** Of lines whose container is not known. */
  readonly noContainer: LineOwner
  #head: string
  #byId = new Map<string, KnownContainer>()
  #byMountNamespace = new Map<number, KnownContainer>()
  #byInitPid = new Map<number, KnownContainer>()
  #byCgroup = new Map<bigint, KnownContainer>()
  #byCgroupPath = new Map<string, KnownContainer>()
  #byNumber = new Map<number, KnownContainer>()
  #policies = new Map<string, PolicyIdentity>()
  #byBpfId = new Map<number, PolicyIdentity>()

  constructor(data: SnapshotData) {
    this.version = data.version
    this.bootTime = data.bootTime
    this.bootID = data.bootID ?? ''
    this.#head = `"metadata":${asciiJson(data.metadata)},"nodeName":${asciiJson(data.nodeName)},`
    this.noContainer = this.#owner(noContainer)
    for (const info of data.containers) this.#add(info)
    for (const policy of data.policies) this.#addPolicy(policy)
  }

  /**
   * Takes one step. A delta that is not the next one changes nothing.
   * @returns whether it was taken; if not, the owner has to send a whole snapshot.
   */
  apply(delta: SnapshotDelta): boolean {
    if (delta.version !== this.version + 1) return false
    for (const id of delta.withoutContainers ?? []) this.#remove(id)
    for (const info of delta.containers ?? []) this.#add(info)
    for (const name of delta.withoutPolicies ?? []) this.#removePolicy(name)
    for (const policy of delta.policies ?? []) this.#addPolicy(policy)
    this.version = delta.version
    return true
  }

  container(id: string): KnownContainer | undefined {
    return this.#byId.get(id)
  }

  inMountNamespace(inode: number): KnownContainer | undefined {
    return this.#byMountNamespace.get(inode)
  }

  withInitPid(pid: number): KnownContainer | undefined {
    return this.#byInitPid.get(pid)
  }

  inCgroup(id: bigint): KnownContainer | undefined {
    return this.#byCgroup.get(id)
  }

  numbered(bpfNumber: number): KnownContainer | undefined {
    return this.#byNumber.get(bpfNumber)
  }

  /**
   * The id of the container that a process with this cgroup path is in. The first known container on the way counts: what is
   * below its own cgroup, its processes may have made, with any name. One of which nobody said where its cgroup is, and one
   * that is not known yet, is taken from the first component that has an id.
   * @returns empty where the path names none
   */
  containerOfPath(path: string): string {
    for (const ancestor of pathsTo(path)) {
      const known = this.#byCgroupPath.get(ancestor)
      if (known !== undefined) return known.info.containerID
    }
    const id = idOfPath(path)
    return this.#byId.get(id)?.info.cgroupPath === undefined ? id : elsewhere
  }

  policy(profileName: string): PolicyIdentity | undefined {
    return this.#policies.get(profileName)
  }

  policyOfBpfProfile(id: number): PolicyIdentity | undefined {
    return this.#byBpfId.get(id)
  }

  #owner(info: typeof noContainer): LineOwner {
    const text = `${this.#head}${containerJson(info)}`
    return {
      refused: fragment(`{"level":"warn",${text}`),
      reported: fragment(`{"level":"debug",${text}`),
      middle: undefined,
      seenIn: 0,
      place: 0,
    }
  }

  #add(info: ContainerInfo): void {
    this.#remove(info.containerID)
    const { refused, reported } = this.#owner(info)
    // Key by key, for one hidden class: each line looks at it.
    const known: KnownContainer = {
      info,
      refused,
      reported,
      about: fragment(aboutOf(info)),
      middle: undefined,
      fitting: undefined,
      seenIn: 0,
      place: 0,
    }
    this.#byId.set(info.containerID, known)
    // 0 is of a process whose namespace could not be read, too.
    if (info.mntNsID !== 0) this.#byMountNamespace.set(info.mntNsID, known)
    this.#byInitPid.set(info.initPid, known)
    if (info.cgroupID !== undefined) this.#byCgroup.set(info.cgroupID, known)
    if (info.cgroupPath !== undefined) this.#byCgroupPath.set(info.cgroupPath, known)
    if (info.bpfNumber !== undefined) this.#byNumber.set(info.bpfNumber, known)
  }

  #remove(id: string): void {
    const known = this.#byId.get(id)
    if (known === undefined) return
    this.#byId.delete(id)
    const { mntNsID, initPid, cgroupID, cgroupPath, bpfNumber } = known.info
    // A namespace or pid number may have gone to a newer container by now.
    if (this.#byMountNamespace.get(mntNsID) === known) this.#byMountNamespace.delete(mntNsID)
    if (this.#byInitPid.get(initPid) === known) this.#byInitPid.delete(initPid)
    if (cgroupID !== undefined && this.#byCgroup.get(cgroupID) === known) this.#byCgroup.delete(cgroupID)
    if (cgroupPath !== undefined && this.#byCgroupPath.get(cgroupPath) === known) this.#byCgroupPath.delete(cgroupPath)
    if (bpfNumber !== undefined && this.#byNumber.get(bpfNumber) === known) this.#byNumber.delete(bpfNumber)
  }

  #addPolicy(policy: PolicyIdentity): void {
    this.#removePolicy(policy.profileName)
    this.#policies.set(policy.profileName, policy)
    if (policy.bpfId !== undefined) this.#byBpfId.set(policy.bpfId, policy)
  }

  #removePolicy(profileName: string): void {
    const policy = this.#policies.get(profileName)
    this.#policies.delete(profileName)
    if (policy?.bpfId !== undefined && this.#byBpfId.get(policy.bpfId) === policy) this.#byBpfId.delete(policy.bpfId)
  }
}

function aboutOf({ workload, podLabels, podLabelsCut }: ContainerInfo): string {
  const labels = podLabels === undefined ? '' : `,"podLabels":${asciiJson(podLabels)}`
  const made = workload === undefined ? '' : `,"workload":${asciiJson({ kind: workload.kind, name: workload.name })}`
  return `${made}${labels}${podLabelsCut === true ? ',"podLabelsCut":true' : ''}`
}

const noContainer = { containerID: '', containerName: '', image: '', podName: '', podNamespace: '', podUID: '' }

function containerJson(info: typeof noContainer): string {
  const keys = ['containerID', 'containerName', 'image', 'podName', 'podNamespace', 'podUID'] as const
  return `${keys.map((key) => `"${key}":${asciiJson(info[key])}`).join(',')},"pid":`
}
