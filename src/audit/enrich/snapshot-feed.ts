import type { ContainerInfo, PolicyIdentity, SnapshotData, SnapshotDelta } from './snapshot.ts'

/** The data that brings a worker to the newest version. */
export type SnapshotUpdate = { whole: SnapshotData } | { deltas: readonly SnapshotDelta[] }

/** Maximum kept deltas. A worker that is further behind gets the whole snapshot. */
const keptDeltas = 256

/** Keeps the newest snapshot of the node, and the last changes that led to it. */
export class SnapshotFeed {
  #data: Omit<SnapshotData, 'containers' | 'policies'>
  #containers = new Map<string, ContainerInfo>()
  #policies = new Map<string, PolicyIdentity>()
  #deltas: SnapshotDelta[] = []

  constructor({ containers, policies, ...data }: SnapshotData) {
    this.#data = data
    for (const info of containers) this.#containers.set(info.containerID, info)
    for (const policy of policies) this.#policies.set(policy.profileName, policy)
  }

  get version(): number {
    return this.#data.version
  }

  get nodeName(): string {
    return this.#data.nodeName
  }

  /** Unix seconds of the boot, as known when the agent started. The times of BPF records count from it. */
  get bootTime(): number {
    return this.#data.bootTime
  }

  get bootID(): string | undefined {
    return this.#data.bootID
  }

  get metadata(): Record<string, unknown> {
    return this.#data.metadata
  }

  get containers(): ReadonlyMap<string, ContainerInfo> {
    return this.#containers
  }

  get policies(): ReadonlyMap<string, PolicyIdentity> {
    return this.#policies
  }

  /** Applies a change. @returns the new version */
  update(change: Omit<SnapshotDelta, 'version'>): number {
    const version = this.version + 1
    for (const id of change.withoutContainers ?? []) this.#containers.delete(id)
    for (const info of change.containers ?? []) this.#containers.set(info.containerID, info)
    for (const name of change.withoutPolicies ?? []) this.#policies.delete(name)
    for (const policy of change.policies ?? []) this.#policies.set(policy.profileName, policy)
    this.#data = { ...this.#data, version }
    this.#deltas.push({ ...change, version })
    if (this.#deltas.length > keptDeltas) this.#deltas.shift()
    return version
  }

  whole(): SnapshotUpdate {
    const [containers, policies] = [[...this.#containers.values()], [...this.#policies.values()]]
    return { whole: { ...this.#data, containers, policies } }
  }

  /** The changes since `version`, or the whole snapshot if they are no longer kept; undefined if nothing changed. */
  since(version: number | undefined): SnapshotUpdate | undefined {
    if (version === this.version) return undefined
    const missing = this.version - (version ?? Number.NEGATIVE_INFINITY)
    return missing > this.#deltas.length ? this.whole() : { deltas: this.#deltas.slice(-missing) }
  }
}
