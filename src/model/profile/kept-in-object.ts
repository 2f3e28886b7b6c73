import type { ArmorProfileModel } from '../../api/types.ts'

type Data = ArmorProfileModel['data']

/** What an ArmorProfileModel has of its data. */
export interface Kept {
  storageType: NonNullable<ArmorProfileModel['storageType']>
  data: Data
  /** What there is no room for, though enforcers need it; empty where there is none. */
  problem: string
}

export const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/**
 * What goes into the object: all, or as much as has room of what enforcers need: profiles, and what BPF recorded, which
 * it enforces as it is.
 * @param largest bytes that the API server takes
 */
export function keptInObject(data: Data, largest: number): Kept {
  if (sizeOf(data) <= largest) return { storageType: 'CRDInternal', data, problem: '' }
  const { profile, dynamicResult: { bpf } = {} } = data
  const ofProfile = profile === undefined ? {} : { profile }
  const ofBpf = bpf === undefined ? {} : { dynamicResult: { bpf } }
  const storageType = 'LocalDisk'
  if (sizeOf({ ...ofProfile, ...ofBpf }) <= largest)
    return { storageType, data: { ...ofProfile, ...ofBpf }, problem: '' }
  const remedy = 'record a workload that does less, or several policies'
  const tooLarge = (what: string, value: object): string =>
    `${what} takes ${sizeOf(value)} bytes, and an object of the API server ${largest}; ${remedy}`
  if (sizeOf(ofProfile) <= largest)
    return { storageType, data: ofProfile, problem: tooLarge('what BPF has to enforce, beside the profiles,', ofBpf) }
  return { storageType, data: {}, problem: tooLarge('the profile', ofProfile) }
}

/** Whether the object lacks some of what was recorded, which is in a file. */
export function isPart({ storageType, data: { profile, dynamicResult = {} } }: ArmorProfileModel): boolean {
  const names = Object.keys(dynamicResult)
  const hasOthers = profile?.appArmor !== undefined || profile?.seccomp !== undefined
  return storageType === 'LocalDisk' && (names.length === 0 || (names.join() === 'bpf' && hasOthers))
}

/** Whether enforcers can use what the object has. */
export const isUsable = ({ profile, dynamicResult }: Data): boolean =>
  profile !== undefined || dynamicResult?.bpf !== undefined
