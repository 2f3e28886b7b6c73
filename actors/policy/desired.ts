import { isDeepStrictEqual } from 'node:util'
import type { FieldError } from '../../src/api/field-error.ts'
import type { ArmorProfile } from '../../src/api/types.ts'
import type { BehaviorModel, EgressControl } from '../../src/profile/context.ts'
import type { ProfileDocument } from '../ports.ts'
import { hasSpec } from './kept-profile.ts'
import type { LeftOutText } from './left-out.ts'
import type { Modeling } from './modeling.ts'

/** Upstream's finalizer: keeps an ArmorProfile until the nodes have unloaded it. */
export const PROFILE_FINALIZER = 'varmor.org/ap-protection'

export interface DesiredOptions {
  installNamespace: string
  /** Name of the profile (see `ProfileNames`). Default: the policy's first name. */
  profileName?: string
  modeling: Modeling
  /** Selects the targets whose addresses the manager looks up. */
  egressControl?: EgressControl
  /** The model for policies that are built from a model. */
  model?: BehaviorModel
}

export type Desired =
  | { ok: true; document: ProfileDocument; leftOut: LeftOutText }
  | { ok: false; errors: readonly FieldError[] }

/** Whether applying the document would leave the profile unchanged. Labels by other clients do not count. */
export function isInForce({ metadata, spec }: ProfileDocument, profile: ArmorProfile): boolean {
  const { labels = {}, finalizers = [], ownerReferences } = profile.metadata
  const owners = Array.isArray(ownerReferences) ? (ownerReferences as unknown[]) : []
  return (
    Object.entries(metadata.labels ?? {}).every(([name, value]) => labels[name] === value) &&
    metadata.finalizers.every((finalizer) => finalizers.includes(finalizer)) &&
    metadata.ownerReferences.every((owner) => owners.some((one) => isSubset(owner, one))) &&
    hasSpec(profile, spec)
  )
}

const isSubset = (part: object, whole: unknown): boolean =>
  typeof whole === 'object' &&
  whole !== null &&
  Object.entries(part).every(([name, value]) => isDeepStrictEqual((whole as Record<string, unknown>)[name], value))

/** The policy that controls the ArmorProfile; undefined if no policy does. */
export function ownerOf(profile: ArmorProfile): { kind: string; name: string; uid: string } | undefined {
  const owners = profile.metadata.ownerReferences
  if (!Array.isArray(owners)) return undefined
  return owners.find((owner) => owner?.controller === true)
}
