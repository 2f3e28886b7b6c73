import type { Action, Enforcer, EventCount } from '../batch/batch.ts'
import type { ContainerInfo, PolicyIdentity, Snapshot } from '../enrich/snapshot.ts'
import { asciiJson } from './json-text.ts'

/** The kinds of events in violations.log. In the functions below, `kind` is an index into this list. */
export const eventKinds = [
  { enforcer: 'AppArmor', action: 'DENIED' },
  { enforcer: 'AppArmor', action: 'AUDIT' },
  { enforcer: 'AppArmor', action: 'ALLOWED' },
  { enforcer: 'Seccomp', action: 'DENIED' },
  { enforcer: 'Seccomp', action: 'AUDIT' },
  { enforcer: 'Seccomp', action: 'AUDIT|ALLOWED' },
  { enforcer: 'BPF', action: 'DENIED' },
  { enforcer: 'BPF', action: 'AUDIT' },
  { enforcer: 'BPF', action: 'ALLOWED' },
] as const satisfies readonly { enforcer: Enforcer; action: Action }[]

export function eventKind(enforcer: Enforcer, action: Action): number {
  return eventKinds.findIndex((kind) => kind.enforcer === enforcer && kind.action === action)
}

/** Whether the kernel refused the operation (level `warn`) or only reported it (level `debug`). */
export const isRefused = (kind: number): boolean => refused[kind]!

const refused = eventKinds.map(({ action }) => action === 'DENIED')

let heads = 0

/** The middle of a line, from `eventType` to `"event":`. It is constant for each profile and kind of event. */
export class ProfileHead {
  /** Unique among all heads. */
  readonly number = ++heads
  readonly profileName: string
  /** The recording of the profile's policy (PolicyIdentity.modelling). */
  readonly modelling: string | undefined
  readonly counts = new Uint32Array(eventKinds.length)
  #policy: PolicyIdentity | undefined
  #texts: (string | undefined)[] = eventKinds.map(() => undefined)

  constructor(profileName: string, policy: PolicyIdentity | undefined) {
    this.profileName = profileName
    this.modelling = policy?.modelling
    this.#policy = policy
  }

  /**
   * Whether a container's behaviour may become part of the policy's recording. Pods of any namespace can name our
   * profile and run in it, but only pods of the policy's namespace are workloads of a VarmorPolicy.
   */
  isOf({ podNamespace }: Pick<ContainerInfo, 'podNamespace'>): boolean {
    const policy = this.#policy
    return policy !== undefined && (policy.kind === 'VarmorClusterPolicy' || policy.namespace === podNamespace)
  }

  text(kind: number): string {
    let text = this.#texts[kind]
    if (text === undefined) {
      text = this.#make(kind)
      this.#texts[kind] = text
    }
    return text
  }

  #make(kind: number): string {
    const { enforcer, action } = eventKinds[kind]!
    const values = {
      eventType: enforcer,
      enforcer,
      action,
      profileName: this.profileName,
      policyKind: this.#policy?.kind ?? '',
      policyName: this.#policy?.name ?? '',
      policyNamespace: this.#policy?.namespace ?? '',
    }
    return `,${asciiJson(values).slice(1, -1)},"event":`
  }
}

/** Maximum known heads. Profile names come from records, so with `everything` their number is not limited. */
const maxHeads = 4096

/** Heads by profile name, and the counts of events written with them. */
export class ProfileHeads {
  #heads = new Map<string, ProfileHead>()
  #counted: { head: ProfileHead; kind: number }[] = []

  clear(): void {
    this.#heads.clear()
  }

  get(profileName: string, snapshot: Snapshot): ProfileHead {
    let head = this.#heads.get(profileName)
    if (head === undefined) {
      if (this.#heads.size >= maxHeads) this.#heads.clear()
      head = new ProfileHead(profileName, snapshot.policy(profileName))
      this.#heads.set(profileName, head)
    }
    return head
  }

  /** Counts events written with `head`. */
  count(head: ProfileHead, kind: number, events = 1): void {
    if (head.counts[kind] === 0) this.#counted.push({ head, kind })
    head.counts[kind]! += events
  }

  /** Returns and resets the counts. */
  takeCounts(): EventCount[] {
    const counts = this.#counted.map(({ head, kind }) => {
      const events = head.counts[kind]!
      head.counts[kind] = 0
      const { enforcer, action } = eventKinds[kind]!
      return { enforcer, action, profileName: head.profileName, events }
    })
    this.#counted.length = 0
    return counts
  }
}
