import type { FoundModel } from '../../../actors/policy/ports.ts'
import type { ArmorProfileModel } from '../../api/types.ts'
import { whyOutlined } from '../../base/left-out.ts'
import { isUsable } from '../../model/profile/kept-in-object.ts'

/** What a policy can use of a model. One that somebody imported has no status, and says by what it has that it is ready. */
export function foundModel(found: ArmorProfileModel): FoundModel {
  const { metadata, data, status } = found
  const outline = whyOutlined(found)
  const { appArmor, seccomp } = data.profile ?? {}
  // Whoever recorded it has put patterns in place of names that vary.
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
