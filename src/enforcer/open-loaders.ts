import { mebibyte } from '../base/bytes.ts'
import { AbsentLoader } from './absent.ts'
import { AppArmorLoader, type AppArmorOptions } from './apparmor.ts'
import { builtObject, loadBpfAddon } from './bpf/addon.ts'
import { BpfEnforcer, type BpfOptions } from './bpf.ts'
import { EnforcerError } from './enforcer-error.ts'
import type { NodeFeatures } from './features.ts'
import type { Loaders, ProfileLoader } from './ports.ts'
import { SeccompLoader, type SeccompOptions } from './seccomp.ts'

export interface LoaderOptions {
  appArmor?: AppArmorOptions
  seccomp?: SeccompOptions
  /** undefined or a reason: BPF cannot be used. */
  bpf?: BpfLoaderOptions | string
}

export type BpfLoaderOptions = Pick<BpfOptions, 'encoder' | 'hostMntNs'> &
  Partial<
    Pick<
      BpfOptions,
      | 'object'
      | 'root'
      | 'ringBytes'
      | 'strictStart'
      | 'recordsRate'
      | 'onReopened'
      | 'onDamaged'
      | 'onArrived'
      | 'claims'
    >
  >

/** Opens the enforcers of this node. An enforcer that the node lacks refuses each profile with the reason. */
export async function openLoaders(features: NodeFeatures, options: LoaderOptions = {}): Promise<Loaders> {
  // Open BPF first: after a crash, strict start may still stop every program that this process starts, such as
  // apparmor_parser.
  const BPF = await openBpf(features, options.bpf)
  return {
    AppArmor: await openAppArmor(features, options.appArmor),
    BPF,
    Seccomp: await openSeccomp(features, options.seccomp),
  }
}

async function openAppArmor({ AppArmor: absent }: NodeFeatures, options?: AppArmorOptions): Promise<ProfileLoader> {
  if (absent !== undefined) return new AbsentLoader('AppArmor', absent)
  const loader = new AppArmorLoader(options)
  const parserAbsent = await loader.parserAbsent()
  if (parserAbsent !== undefined) return new AbsentLoader('AppArmor', parserAbsent)
  await loader.start()
  return loader
}

async function openSeccomp({ Seccomp: absent }: NodeFeatures, options?: SeccompOptions): Promise<ProfileLoader> {
  if (absent !== undefined) return new AbsentLoader('Seccomp', absent)
  const loader = new SeccompLoader(options)
  await loader.start()
  return loader
}

/** Bytes of the ring: 1 MiB is enough for some 5,000 records. */
export const defaultRing = 8 * mebibyte

/** Opens BPF. A kernel that refuses BPF refuses it at each try, so the agent must be restarted to try again. */
async function openBpf({ BPF: absent }: NodeFeatures, options?: BpfLoaderOptions | string): Promise<ProfileLoader> {
  if (absent !== undefined) return new AbsentLoader('BPF', absent)
  if (options === undefined || typeof options === 'string')
    return new AbsentLoader('BPF', options ?? 'this process did not get the BPF programs')
  const addon = loadBpfAddon()
  if (typeof addon === 'string') return new AbsentLoader('BPF', addon)
  const defaults = { ringBytes: defaultRing, strictStart: 0, object: builtObject(addon) } as const
  try {
    return await BpfEnforcer.open({ ...defaults, ...options, addon })
  } catch (error) {
    if (!(error instanceof EnforcerError)) throw error
    return new AbsentLoader('BPF', error.reason)
  }
}
