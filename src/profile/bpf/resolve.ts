import { MAX_TARGET_TEXT, whyLeftOut } from '../../api/egress-left-out.ts'
import { targetText } from '../../api/egress-target.ts'
import type { FieldError } from '../../api/field-error.ts'
import type { EgressAddresses } from '../../api/types.ts'
import type { CompileContext, EgressControl } from '../context.ts'
import type { Draft, Drafted, DraftReference } from './draft.ts'
import { blocksOfAddress } from './egress.ts'
import { type ClusterReference, isSought, targetOf, targetsByText } from './egress-targets.ts'
import { MAX_EGRESS_ADDRESSES, MAX_EGRESS_TARGETS } from './limits.ts'

/** A rule about Services or Pods whose addresses are left out, and the reason. */
export interface Unresolved {
  from: string
  reason: string
  /** True: the rule is not enforced at all. False: it is enforced in part. */
  all: boolean
}

type Reference = Drafted<Extract<DraftReference, { kind: ClusterReference['kind'] }>>

/**
 * Adds rules with the addresses of references to the draft, if the profile is compiled for a node.
 * @returns the references whose addresses are missing, and why
 */
export function resolveReferences(draft: Draft, context: CompileContext, errors: FieldError[]): Unresolved[] {
  const references = draft.references.filter(
    (one): one is Reference => one.kind !== 'pod-self' && (one.deny || one.audit),
  )
  const { addresses, egressControl } = context
  if (addresses === undefined) return notSought(references, egressControl)
  const byTarget = new Map(addresses.map((one) => [one.target, one]))
  return references.flatMap((reference) => {
    const found = byTarget.get(targetText(targetOf(reference as ClusterReference)))
    if (found !== undefined) return resolve(draft, reference, found, errors)
    return [{ from: reference.from, reason: 'the manager has not sent its addresses', all: true }]
  })
}

/** References whose addresses no manager looks up, whatever objects the cluster has. */
function notSought(references: readonly Reference[], control: EgressControl | undefined): Unresolved[] {
  const sought = references.filter((one) => isSought(one, control)) as ClusterReference[]
  const found = new Set([...targetsByText(sought).keys()].slice(0, MAX_EGRESS_TARGETS))
  return references.flatMap((reference) => {
    const { kind, from } = reference
    const [what, flag] =
      kind === 'pods' ? ['Pods', '--enablePodEgressControl'] : ['Services', '--enableServiceEgressControl']
    if (control === undefined) {
      const reason = `only a manager with ${flag} knows the addresses of ${what}`
      return [{ from, reason, all: true }]
    }
    if (!isSought(reference, control))
      return [{ from, reason: `the manager does not look up the addresses of ${what}: set ${flag}`, all: true }]
    const text = targetText(targetOf(reference as ClusterReference))
    if (text.length > MAX_TARGET_TEXT) return [{ from, reason: whyLeftOut.selector, all: true }]
    if (found.has(text)) return []
    const reason = `a policy has room for ${MAX_EGRESS_TARGETS} different Services and selectors; split the policy, or use CIDR blocks`
    return [{ from, reason, all: true }]
  })
}

function resolve(
  draft: Draft,
  { from, ports, deny, audit }: Reference,
  { target: to, groups, omitted = 0, leftOut }: EgressAddresses,
  errors: FieldError[],
): Unresolved[] {
  for (const group of groups) {
    const blocks = group.addresses.flatMap((address) => blocksOf(address, errors))
    const own = (group.ports ?? []).map((port) => ({ port }))
    // Only rules about Pods name ports, and only addresses of Services come with ports.
    if (blocks.length > 0) draft.resolved.push({ from, to, deny, audit, blocks, ports: own.length > 0 ? own : ports })
  }
  if (leftOut !== undefined) return [{ from, reason: `its addresses are left out: ${whyLeftOut[leftOut]}`, all: true }]
  if (omitted === 0) return []
  const reason = `${omitted} of its addresses are left out: an ArmorProfile has room for ${MAX_EGRESS_ADDRESSES}; select fewer addresses, or use CIDR blocks`
  return [{ from, reason, all: false }]
}

function blocksOf(address: string, errors: FieldError[]): string[] {
  const blocks = blocksOfAddress(address)
  if (blocks !== undefined) return blocks
  errors.push({ code: 'BAD_ADDRESS', path: 'status.egress', given: address, problem: 'this is not an IP address' })
  return []
}
