import type { FoundModel } from '../../../actors/policy/ports.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { whyOutlined } from '../../base/left-out.ts'
import { isUsable } from '../../model/profile/kept-in-object.ts'

/** What a policy can use of a model. An imported model has no status: its content shows whether it is ready. */
export function foundModel(found: ArmorProfileModel): FoundModel {
  const { metadata, data, status } = found
  const outline = whyOutlined(found)
  const { appArmor, seccomp } = data.profile ?? {}
  // The recording manager has already put patterns in place of varying names.
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
