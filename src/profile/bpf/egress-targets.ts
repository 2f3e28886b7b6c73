import { MAX_TARGET_TEXT } from '../../api/egress-left-out.ts'
import { targetText } from '../../api/egress-target.ts'
import type { EgressTarget } from '../../api/types.ts'
import type { EgressControl } from '../context.ts'
import type { BpfProfile, EgressReference } from './bpf-profile.ts'
import { MAX_EGRESS_TARGETS } from './limits.ts'

/** A reference whose addresses come from the cluster. */
export type ClusterReference = Exclude<EgressReference, { kind: 'pod-self' }>

/** The set of addresses that a reference names. Equal references share one target. */
export function targetOf(reference: ClusterReference): EgressTarget {
  const { kind, namespace } = reference
  return kind === 'service'
    ? { kind, namespace, name: reference.name }
    : { kind, namespace, selector: reference.selector }
}

/** The targets by their text, sorted. A target whose text is too long is left out. */
export function targetsByText(references: readonly ClusterReference[]): Map<string, EgressTarget> {
  const targets = references.map(targetOf).map((target) => [targetText(target), target] as const)
  const short = targets.filter(([text]) => text.length <= MAX_TARGET_TEXT)
  return new Map(short.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Whether the manager looks up addresses of this kind. */
export const isSought = ({ kind }: Pick<EgressTarget, 'kind'>, control: EgressControl | undefined): boolean =>
  control?.[kind === 'pods' ? 'pods' : 'services'] === true

/** The targets of the profile whose addresses the manager looks up: at most MAX_EGRESS_TARGETS. */
export function targetsOf({ egress }: BpfProfile, control: EgressControl | undefined): EgressTarget[] {
  const references = (egress?.references ?? []).filter((one) => one.kind !== 'pod-self')
  const sought = references.filter((one) => isSought(one, control))
  return [...targetsByText(sought).values()].slice(0, MAX_EGRESS_TARGETS)
}
