import { parseEnforcers } from '../../api/enforcer.ts'
import { CompiledSelector, type Labels } from '../../api/label-selector.ts'
import { meansContainer } from '../../api/target-containers.ts'
import { type HeldPolicy, identityOf, titleOf } from './policy-set.ts'
import { seccompRules } from './seccomp-rules.ts'

/** The data of a container with which a policy's target is compared. */
export interface TargetContainer {
  containerName: string
  /** name of the pod; a container without a pod has its own name */
  podName: string
  /** namespace of the pod, or of the runtime */
  podNamespace: string
  labels: Labels
}

/** A policy, as it is compared with each container. */
export interface ContainerPolicy {
  title: string
  file: string
  profile: string
  enforcers: readonly string[]
  /** rules of its seccomp filter, if the policy has one */
  seccomp: string | undefined
  means(container: TargetContainer): boolean
}

/**
 * The policies in the order in which they are compared. As in a cluster, cluster policies come before policies of a
 * namespace.
 */
export function containerPolicies(policies: Iterable<HeldPolicy>): ContainerPolicy[] {
  const rank = ({ title }: ContainerPolicy): string => `${title.startsWith('VarmorClusterPolicy') ? 0 : 1} ${title}`
  return Array.from(policies, containerPolicy).sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}

function containerPolicy(policy: HeldPolicy): ContainerPolicy {
  const { target, profile } = policy.document.spec
  const { kind, namespace } = identityOf(policy)
  const parsed = parseEnforcers(profile.enforcer)
  const named = target?.containers ?? []
  const selector = target?.selector && new CompiledSelector(target.selector)
  return {
    title: titleOf(policy),
    file: policy.file,
    profile: profile.name,
    enforcers: parsed.ok ? parsed.enforcers : [],
    seccomp: profile.seccomp === undefined ? undefined : seccompRules(JSON.parse(profile.seccomp)),
    means: ({ containerName, podName, podNamespace, labels }) =>
      (kind === 'VarmorClusterPolicy' || namespace === podNamespace) &&
      (selector === undefined ? target?.name === (podName || containerName) : selector.matches(labels)) &&
      meansContainer(named, { name: containerName, role: 'regular' }, false),
  }
}
