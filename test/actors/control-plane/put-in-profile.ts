import { idOf, keyOfPolicy, profileIdOf } from '../../../actors/policy/policy-id.ts'
import type { AnyPolicy, Pod, Workload } from '../../../actors/ports.ts'
import { RESTARTED_AT } from '../../../actors/rollout/restarted-at.ts'
import { confinementPrefixes, localhostPrefix } from '../../../src/api/annotations.ts'
import { parseEnforcers } from '../../../src/api/enforcer.ts'
import { CompiledSelector } from '../../../src/api/label-selector.ts'
import { type PatchOperation, pointer } from '../../../src/base/json-patch.ts'
import type { FakeApi, Stored } from '../fake-api.ts'

const prefixes = {
  AppArmor: confinementPrefixes.appArmor,
  BPF: confinementPrefixes.bpf,
  Seccomp: confinementPrefixes.seccomp,
  NetworkProxy: 'none/',
}

/** Confines a restarted workload as the webhook does. */
export function putInProfile(api: FakeApi, object: Stored, before: Stored | undefined): void {
  if (!isWorkload(object)) return
  const { template } = object.spec as Workload['spec']
  // The webhook does not review writes of the status.
  const isSame = JSON.stringify((before?.spec as Workload['spec'] | undefined)?.template) === JSON.stringify(template)
  if (template.metadata?.annotations?.[RESTARTED_AT] === undefined || isSame) return
  for (const [key, value] of annotationsFor(api, object)) template.metadata.annotations[key] ??= value
  for (const container of template.spec?.containers ?? []) {
    const profile = template.metadata.annotations[confinementPrefixes.appArmor + container.name]
    if (profile?.startsWith(localhostPrefix)) container.securityContext = contextOf(profile)
  }
}

const contextOf = (annotation: string) => ({
  appArmorProfile: { type: 'Localhost', localhostProfile: annotation.slice(localhostPrefix.length) },
})

/** The changes as a patch; empty if the workload is already confined, or if its user set the annotations. */
export function confinementOf(api: FakeApi, workload: Workload): PatchOperation[] {
  const { metadata, spec } = workload.spec.template
  const missing = annotationsFor(api, workload as unknown as Stored).filter(
    ([key]) => metadata?.annotations?.[key] === undefined,
  )
  const fields = (spec?.containers ?? []).flatMap(({ name }, i): PatchOperation[] => {
    const [, annotation] = missing.find(([key]) => key === confinementPrefixes.appArmor + name) ?? []
    if (annotation === undefined) return []
    return [{ op: 'add', path: `/spec/template/spec/containers/${i}/securityContext`, value: contextOf(annotation) }]
  })
  return [
    ...missing.map(([key, value]) => ({
      ...{ op: 'add' as const, path: pointer('/spec/template/metadata/annotations', key) },
      value,
    })),
    ...fields,
  ]
}

const isWorkload = ({ kind }: Stored): boolean => ['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind)

/** The first policy that selects the object. */
const policyFor = (api: FakeApi, object: Stored): AnyPolicy | undefined =>
  [...api.of('VarmorPolicy'), ...api.of('VarmorClusterPolicy')]
    .map((stored) => stored as unknown as AnyPolicy)
    .find((one) => isMeant(one, object))

export function winnerOf(api: FakeApi, workload: Workload): string | undefined {
  const policy = policyFor(api, workload as unknown as Stored)
  return policy && keyOfPolicy(idOf(policy))
}

export function podProfileOf(api: FakeApi, { metadata }: Pod, namespace: string) {
  const policy = policyFor(api, { kind: 'Pod', metadata: { ...metadata, namespace } } as unknown as Stored)
  if (policy === undefined) return undefined
  return { profile: profileIdOf(idOf(policy), 'varmor').name, kind: policy.kind, mode: policy.spec.policy.mode }
}

/** The annotations of the object's containers, for the profile of its policy. */
function annotationsFor(api: FakeApi, object: Stored): [key: string, value: string][] {
  const policy = policyFor(api, object)
  if (policy === undefined) return []
  const { name } = profileIdOf(idOf(policy), 'varmor')
  const parsed = parseEnforcers(policy.spec.policy.enforcer)
  const { containers = [], initContainers = [] } = (object.spec as Workload['spec']).template.spec ?? {}
  return [...containers, ...initContainers].flatMap((container) =>
    (parsed.ok ? parsed.enforcers : []).map((enforcer): [string, string] => [
      prefixes[enforcer] + container.name,
      localhostPrefix + (policy.status?.profileName ?? name),
    ]),
  )
}

function isMeant({ kind, metadata, spec: { target } }: AnyPolicy, { kind: of, metadata: its }: Stored): boolean {
  if (metadata.deletionTimestamp !== undefined || target.kind !== of) return false
  if (kind === 'VarmorPolicy' && metadata.namespace !== its.namespace) return false
  return target.selector ? new CompiledSelector(target.selector).matches(its.labels ?? {}) : target.name === its.name
}
