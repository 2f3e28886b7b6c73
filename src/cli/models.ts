import { profileName } from '../api/profile-name.ts'
import type { ModelBpf } from '../api/types.ts'
import type { BehaviorModel } from '../profile/context.ts'
import type { SourceObject } from './documents.ts'

/**
 * Finds a policy's model among ArmorProfileModel objects. The model has the name of the policy's profile, and is in the
 * policy's namespace, or for a cluster policy in vArmor's namespace.
 */
export function modelOf(
  policy: unknown,
  models: readonly Pick<SourceObject, 'value'>[],
  installNamespace: string,
): BehaviorModel | undefined {
  const { kind, metadata } = policy as { kind: 'VarmorPolicy' | 'VarmorClusterPolicy'; metadata?: Metadata | null }
  if (typeof metadata?.name !== 'string') return undefined
  const { name, namespace = 'default' } = metadata
  const wanted = profileName({ kind, metadata: { name, namespace } }, installNamespace)
  const home = kind === 'VarmorClusterPolicy' ? installNamespace : namespace
  const found = models.map(({ value }) => value as Model).find((model) => isNamed(model, wanted, home))
  return found === undefined ? undefined : contentOf(found)
}

type Metadata = { name: string; namespace?: string }
type Model = {
  metadata?: Partial<Metadata> | null
  data?: {
    profile?: { appArmor?: unknown; seccomp?: unknown } | null
    dynamicResult?: { bpf?: unknown } | null
  } | null
}

function isNamed({ metadata }: Model, name: string, namespace: string): boolean {
  return metadata?.name === name && (metadata.namespace ?? 'default') === namespace
}

function contentOf({ data }: Model): BehaviorModel {
  const { appArmor, seccomp } = data?.profile ?? {}
  const { bpf } = data?.dynamicResult ?? {}
  return {
    ...(typeof appArmor === 'string' && { appArmor }),
    ...(typeof seccomp === 'string' && { seccomp }),
    ...(bpf !== undefined && bpf !== null && { bpf: bpf as ModelBpf }),
  }
}
