import type { ArmorProfileModel } from '../../api/types.ts'

type Data = ArmorProfileModel['data']

/** The data that an ArmorProfileModel contains. */
export interface Kept {
  storageType: NonNullable<ArmorProfileModel['storageType']>
  data: Data
  /** Why data that enforcers need does not fit; empty if this data fits. */
  problem: string
}

export const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/**
 * The data that the object contains: all data if it fits, or else as much as possible of the data that enforcers need:
 * the profiles, and the record of BPF, which BPF enforces directly.
 * @param largest maximum bytes that the API server accepts
 */
export function keptInObject(data: Data, largest: number): Kept {
  if (sizeOf(data) <= largest) return { storageType: 'CRDInternal', data, problem: '' }
  const { profile, dynamicResult: { bpf } = {} } = data
  const ofProfile = profile === undefined ? {} : { profile }
  const ofBpf = bpf === undefined ? {} : { dynamicResult: { bpf } }
  const storageType = 'LocalDisk'
  if (sizeOf({ ...ofProfile, ...ofBpf }) <= largest)
    return { storageType, data: { ...ofProfile, ...ofBpf }, problem: '' }
  const remedy = 'record a workload that does less, or split the recording into several policies'
  const tooLarge = (what: string, value: object): string =>
    `${what} takes ${sizeOf(value)} bytes, and the limit of the API server is ${largest}; ${remedy}`
  if (sizeOf(ofProfile) <= largest)
    return { storageType, data: ofProfile, problem: tooLarge('the record of BPF, in addition to the profiles,', ofBpf) }
  return { storageType, data: {}, problem: tooLarge('the profile', ofProfile) }
}

/** Whether the object lacks a part of the recording. A file of the manager then contains the whole recording. */
export function isPart({ storageType, data: { profile, dynamicResult = {} } }: ArmorProfileModel): boolean {
  const names = Object.keys(dynamicResult)
  const hasOthers = profile?.appArmor !== undefined || profile?.seccomp !== undefined
  return storageType === 'LocalDisk' && (names.length === 0 || (names.join() === 'bpf' && hasOthers))
}

/** Whether the object contains data that enforcers can use. */
export const isUsable = ({ profile, dynamicResult }: Data): boolean =>
  profile !== undefined || dynamicResult?.bpf !== undefined
