import type { ContainerInfo, PolicyIdentity } from '../../audit/enrich/snapshot.ts'
import type { SnapshotFeed } from '../../audit/enrich/snapshot-feed.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { chosenLabels, type LabelChoice, workloadOf } from './pod-facts.ts'
import type { ContainerChange, NodeContainer } from './runtime.ts'

/** Milliseconds for which a removed container or policy is remembered: its last events may still arrive. */
const rememberedFor = 60_000

/** Writes the agent's container and policy changes to the pipeline's feed. */
export class FeedWriter {
  readonly #feed: SnapshotFeed
  readonly #clock: Clock
  readonly #labels: LabelChoice
  readonly #leaving = new Map<string, Timer>()

  /** @param labels keys of the pod labels that lines contain */
  constructor(feed: SnapshotFeed, clock: Clock, labels: LabelChoice = []) {
    this.#feed = feed
    this.#clock = clock
    this.#labels = labels
  }

  containers(changes: readonly ContainerChange[]): void {
    const containers = changes.flatMap((change) => (change.type === 'started' ? [change.container] : []))
    for (const { containerID } of containers) this.#stay(`container ${containerID}`)
    if (containers.length > 0) this.#feed.update({ containers: containers.map((one) => infoOf(one, this.#labels)) })
    for (const change of changes) {
      if (change.type !== 'ended') continue
      const { containerID } = change
      this.#leave(`container ${containerID}`, () => this.#feed.update({ withoutContainers: [containerID] }))
    }
  }

  policy(policy: PolicyIdentity): void {
    this.#stay(`policy ${policy.profileName}`)
    this.#feed.update({ policies: [policy] })
  }

  withoutPolicy(profileName: string): void {
    this.#leave(`policy ${profileName}`, () => this.#feed.update({ withoutPolicies: [profileName] }))
  }

  close(): void {
    for (const timer of this.#leaving.values()) timer.cancel()
    this.#leaving.clear()
  }

  #stay(key: string): void {
    this.#leaving.get(key)?.cancel()
    this.#leaving.delete(key)
  }

  #leave(key: string, forget: () => void): void {
    if (this.#leaving.has(key)) return
    const timer = this.#clock.after(rememberedFor, () => {
      this.#leaving.delete(key)
      forget()
    })
    this.#leaving.set(key, timer)
  }
}

/** The facts about a container that a line needs; workers receive only these. */
function infoOf(container: NodeContainer, choice: LabelChoice): ContainerInfo {
  const { sandboxID, seccomp, podLabels, podAnnotations, annotations, ...info } = container
  const workload = workloadOf(info.podName, podLabels)
  return { ...info, ...(workload !== undefined && { workload }), ...chosenLabels(podLabels, choice) }
}
