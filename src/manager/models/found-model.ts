import type { FoundModel } from '../../../actors/policy/ports.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { whyOutlined } from '../../base/left-out.ts'
import { isUsable } from '../../model/profile/kept-in-object.ts'

/**
 * The parts of a model that a policy can use. An imported model may have no status; then its content shows whether it
 * is ready.
 */
export function foundModel(found: ArmorProfileModel): FoundModel {
  const { metadata, data, status } = found
  const outline = whyOutlined(found)
  const { appArmor, seccomp } = data.profile ?? {}
  // The manager that built the model has already replaced varying names by patterns.
  const { bpf } = data.dynamicResult ?? {}
  return {
    version: `${metadata.uid} ${metadata.generation} ${status?.ready}${outline === undefined ? '' : ' outline'}`,
    ready: outline === undefined && (status?.ready ?? isUsable(data)),
    ...(outline !== undefined && { outline }),
    model: {
      ...(appArmor !== undefined && { appArmor }),
      ...(seccomp !== undefined && { seccomp }),
      ...(bpf !== undefined && { bpf }),
    },
  }
}
