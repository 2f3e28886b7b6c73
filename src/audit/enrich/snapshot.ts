import { asciiJson } from '../encode/json-text.ts'
import type { LineOwner } from '../encode/line-owner.ts'
import { type Fragment, fragment } from '../encode/output.ts'
import { idOfPath, pathsTo } from './cgroup-path.ts'

/** The owner that created a pod. */
export interface Workload {
  kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'Job'
  name: string
}

/** A container of the node. The names are the same as in a violation line. */
export interface ContainerInfo {
  containerID: string
  containerName: string
  image: string
  podName: string
  podNamespace: string
  podUID: string
  /** Pid of its first process, in the node's pid namespace. */
  initPid: number
  /** Start of the first process, in ticks of 1/100 s since boot, if known. */
  initStart?: number
  /** Inode number of its mount namespace. */
  mntNsID: number
  /** Its number in BPF records, if it has one. */
  bpfNumber?: number
  /** When the container got `bpfNumber`, in ticks of 1/100 s since boot, if known. */
  bpfSince?: number
  /** Id of its cgroup (version 2), if known. BPF records contain the same id. */
  cgroupID?: bigint
  /** Path of its own cgroup as the agent sees it in /proc, if known. */
  cgroupPath?: string
  /** The profile of the policy that confines it; empty if no policy of ours confines it. */
  profileName: string
  /** The AppArmor profile in the runtime's data, ours or not. Empty without a profile; absent if unknown. */
  appArmorProfile?: string
  /**
   * Calls that the container's own seccomp filter refuses and reports, in the form of refusedCalls(); absent if
   * unknown.
   */
  refusedCalls?: string
  /** The workload that created the pod; absent unless certain. */
  workload?: Workload
  /** The pod labels that a line shows. */
  podLabels?: Readonly<Record<string, string>>
  /** Whether some of the requested labels were left out. */
  podLabelsCut?: boolean
}

/** The policy that owns a profile. It comes from the owner of the ArmorProfile, never from the profile's name. */
export interface PolicyIdentity {
  profileName: string
  kind: 'VarmorPolicy' | 'VarmorClusterPolicy'
  name: string
  /** Empty for a VarmorClusterPolicy. */
  namespace: string
  /** The profile's number in BPF records. */
  bpfId?: number
  /**
   * The id of the recording, if the policy models behaviour. Then operations that the profile allows are not
   * violations. Empty when the recording is over, but containers still run in the profile.
   */
  modelling?: string
}

/** The node's facts, in the form in which workers receive them. */
export interface SnapshotData {
  /** Increases by one with every delta. */
  version: number
  nodeName: string
  /** Added unchanged to every line (Helm value `auditEventMetadata`). */
  metadata: Record<string, unknown>
  /** Unix seconds of the boot, with a fraction if known. The times in BPF records count from it. */
  bootTime: number
  /** Short form of the boot's id (decode/boot-id.ts); absent if the records come from another machine. */
  bootID?: string
  containers: readonly ContainerInfo[]
  policies: readonly PolicyIdentity[]
}

/**
 * The change from one version to the next. Remove a container or policy only some time after its end, because late
 * events still need it.
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

/** A container and the texts that it adds to a line. */
export interface KnownContainer extends LineOwner {
  readonly info: ContainerInfo
  /** The text about the container that follows the standard keys in a line, with the comma before it. */
  readonly about: Fragment
  /** The last label that passed `checked` for this container. */
  fitting: object | undefined
}

/** Since when records with the container's number may belong to the container, in seconds since boot; 0 if unknown. */
export const numberedSince = ({ bpfSince, initStart }: ContainerInfo): number =>
  Math.max(bpfSince ?? 0, initStart ?? 0) / ticksPerSecond

const ticksPerSecond = 100

/** The result for a cgroup that has the id of a known container in its name, but is not the container's cgroup. */
const elsewhere = '-'

/** A snapshot with indexes for look-ups. It encodes the constant parts of each container's lines once. */
export class Snapshot {
  version: number
  readonly bootTime: number
  /** Empty if unknown. */
  readonly bootID: string
  /** For lines without a known container. */
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
   * Applies a delta, if it follows this version.
   * @returns whether it was applied; if not, the sender must send a whole snapshot
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
   * The id of the container of a process with this cgroup path; empty if the path does not contain an id. The first
   * known container on the path counts, because its processes can create cgroups of any name below its cgroup. Without
   * a known container, the first component with an id counts.
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
    // Create the keys in a fixed order, so that all containers have the same V8 shape and reads are fast.
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
    // 0 means that the namespace could not be read.
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
    // The namespace or pid number may belong to a newer container by now.
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
