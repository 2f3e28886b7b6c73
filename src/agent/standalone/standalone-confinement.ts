import { confinementPrefixes, localhostPrefix } from '../../api/annotations.ts'
import type { Labels } from '../../api/label-selector.ts'
import type { Logger } from '../../base/logger.ts'
import type { Confinable, Confinement } from '../containers/confinement.ts'
import { nameOf, sandboxOf } from '../containers/describe-container.ts'
import type { NodeContainer, RuntimeContainer, Sandbox } from '../containers/runtime.ts'
import { type ContainerPolicy, containerPolicies, type TargetContainer } from './container-policies.ts'
import type { HeldPolicy } from './policy-set.ts'

export interface StandaloneConfinementOptions {
  /** Folder of the seccomp profiles. */
  seccompFolder: string
  /** Returns why policies are not in force, for reasons that do not concern a container. */
  problems(): readonly string[]
  logger: Logger
}

/** The BPF programs know containers only by ids of this form. */
const bpfId = /^[0-9a-f]{64}$/

/**
 * Confines containers without a webhook. The agent binds containers to BPF profiles when the runtime reports them. The
 * user who starts a container sets its AppArmor and seccomp profiles. The agent checks these, and reports missing
 * profiles.
 */
export class StandaloneConfinement implements Confinement {
  readonly #options: StandaloneConfinementOptions
  #know!: () => void
  readonly known = new Promise<void>((resolve) => {
    this.#know = resolve
  })
  readonly #listeners: (() => void)[] = []
  #policies: readonly ContainerPolicy[] = []
  #unconfined: readonly string[] = []

  constructor(options: StandaloneConfinementOptions) {
    this.#options = options
  }

  /** Sets the policies in force. */
  set(policies: Iterable<HeldPolicy>): void {
    this.#policies = containerPolicies(policies)
    for (const { title, file, profile, enforcers } of this.#policies) {
      const ways = enforcers.map((enforcer) => this.#way(enforcer, profile))
      this.#options.logger.info({ policy: title, file, profile, ways }, 'a policy is in force')
    }
    this.#know()
    for (const listener of this.#listeners) listener()
  }

  subscribe(listener: () => void): void {
    this.#listeners.push(listener)
  }

  podOf(container: RuntimeContainer, sandbox: Sandbox | undefined): Sandbox {
    const { id, labels, namespace = '', seccomp } = container
    const pod = sandbox ?? { id: '', name: '', namespace, uid: '', labels: {}, annotations: {} }
    // For a container of a pod, only the pod's labels count, because a container's labels include the labels of its
    // image.
    const all = sandboxOf(container) === '' ? labels : pod.labels
    const containerName = nameOf(container)
    const target = { containerName, podName: pod.name, podNamespace: pod.namespace, labels: all }
    const policy = this.#of(target)
    const annotations = {
      ...pod.annotations,
      ...(policy?.enforcers.includes('BPF') && bpfId.test(id) && annotation('bpf', containerName, policy.profile)),
      ...(policy !== undefined && isFiltered(policy, seccomp) && annotation('seccomp', containerName, policy.profile)),
    }
    return { ...pod, labels: all, annotations }
  }

  annotationsOf({ containerName, podLabels, podName, podNamespace, podAnnotations }: Confinable): Labels {
    const policy = this.#of({ containerName, podName, podNamespace, labels: podLabels })
    if (!policy?.enforcers.includes('BPF')) return podAnnotations
    return { ...podAnnotations, ...annotation('bpf', containerName, policy.profile) }
  }

  check(containers: Iterable<NodeContainer>): void {
    const found = Array.from(containers).flatMap((container) => this.#missing(container))
    const said = new Set(this.#unconfined)
    for (const problem of found)
      if (!said.has(problem))
        this.#options.logger.warn({ reason: problem }, 'a container is not confined as its policy requires')
    this.#unconfined = found
  }

  problems(): readonly string[] {
    return [...this.#options.problems(), ...this.#unconfined]
  }

  #of(target: TargetContainer): ContainerPolicy | undefined {
    return this.#policies.find((policy) => policy.means(target))
  }

  #missing(container: NodeContainer): string[] {
    const { containerID, containerName, podLabels, appArmorProfile, seccomp } = container
    const policies = this.#policies.filter((policy) => policy.means({ ...container, labels: podLabels }))
    const [policy, ...others] = policies
    if (policy === undefined) return []
    const is: Record<string, boolean> = {
      BPF: bpfId.test(containerID),
      AppArmor: appArmorProfile === policy.profile,
      Seccomp: isFiltered(policy, seccomp),
      NetworkProxy: false,
    }
    const who = `container ${containerName} (${containerID.slice(0, 12)})`
    return [
      ...policy.enforcers
        .filter((enforcer) => is[enforcer] !== true)
        .map(
          (enforcer) =>
            `${who} runs without the ${enforcer} profile of ${policy.title}: ${this.#way(enforcer, policy.profile)}`,
        ),
      ...others.map(
        ({ title }) =>
          `${who} matches the targets of ${policy.title} and ${title}; the first confines it: change one target`,
      ),
    ]
  }

  /** The remedy for a container that runs without its profile: how to start it with the profile. */
  #way(enforcer: string, profile: string): string {
    const { seccompFolder } = this.#options
    switch (enforcer) {
      case 'BPF':
        return 'BPF confines only containers whose id has 64 hexadecimal digits, as nerdctl, Docker and CRI create them'
      case 'AppArmor':
        return `start it with --security-opt apparmor=${profile} (nerdctl, docker), --apparmor-profile ${profile} (ctr), or ${overCri(profile)}`
      case 'Seccomp':
        return `start it with --security-opt seccomp=${seccompFolder}/${profile} (nerdctl, docker), or as ctr run --seccomp --seccomp-profile ${seccompFolder}/${profile}, or ${overCri(`${seccompFolder}/${profile}`)}`
      default:
        return `${enforcer} needs a cluster; remove it from the enforcers of the policy`
    }
  }
}

const annotation = (kind: 'bpf' | 'seccomp', containerName: string, profile: string): Labels => ({
  [confinementPrefixes[kind] + containerName]: localhostPrefix + profile,
})

const overCri = (reference: string): string =>
  `with localhost_ref ${reference} in the container's security context (CRI)`

/** @param seccomp rules of the container's filter */
const isFiltered = ({ seccomp: wanted }: ContainerPolicy, seccomp: string | undefined): boolean =>
  wanted !== undefined && wanted === seccomp
