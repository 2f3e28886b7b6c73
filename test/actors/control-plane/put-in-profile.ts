import { idOf, profileIdOf } from '../../../actors/policy/policy-id.ts'
import type { AnyPolicy, Workload } from '../../../actors/ports.ts'
import { RESTARTED_AT } from '../../../actors/rollout/restarted-at.ts'
import { confinementPrefixes, localhostPrefix } from '../../../src/api/annotations.ts'
import { parseEnforcers } from '../../../src/api/enforcer.ts'
import { CompiledSelector } from '../../../src/api/label-selector.ts'
import type { FakeApi, Stored } from '../fake-api.ts'

const prefixes = {
  AppArmor: confinementPrefixes.appArmor,
  BPF: confinementPrefixes.bpf,
  Seccomp: confinementPrefixes.seccomp,
  NetworkProxy: 'none/',
}

/** As the webhook does with a workload that is restarted: its containers get the profile of the first policy that means it. */
export function putInProfile(api: FakeApi, object: Stored, before: Stored | undefined): void {
  const { kind } = object
  if (kind !== 'Deployment' && kind !== 'StatefulSet' && kind !== 'DaemonSet') return
  const { template } = object.spec as Workload['spec']
  const annotations = template.metadata?.annotations
  // A write of the status is not reviewed.
  const isSame = JSON.stringify((before?.spec as Workload['spec'] | undefined)?.template) === JSON.stringify(template)
  if (annotations?.[RESTARTED_AT] === undefined || isSame) return
  const policy = [...api.of('VarmorPolicy'), ...api.of('VarmorClusterPolicy')]
    .map((stored) => stored as unknown as AnyPolicy)
    .find((one) => isMeant(one, object))
  if (policy === undefined) return
  const { name } = profileIdOf(idOf(policy), 'varmor')
  const parsed = parseEnforcers(policy.spec.policy.enforcer)
  const enforcers = parsed.ok ? parsed.enforcers : []
  const profile = policy.status?.profileName ?? name
  for (const container of [...(template.spec?.containers ?? []), ...(template.spec?.initContainers ?? [])]) {
    for (const enforcer of enforcers) annotations[prefixes[enforcer] + container.name] ??= localhostPrefix + profile
    container.securityContext = { appArmorProfile: { type: 'Localhost', localhostProfile: profile } }
  }
}

function isMeant({ kind, metadata, spec: { target } }: AnyPolicy, { kind: of, metadata: its }: Stored): boolean {
  if (metadata.deletionTimestamp !== undefined || target.kind !== of) return false
  if (kind === 'VarmorPolicy' && metadata.namespace !== its.namespace) return false
  return target.selector ? new CompiledSelector(target.selector).matches(its.labels ?? {}) : target.name === its.name
}
