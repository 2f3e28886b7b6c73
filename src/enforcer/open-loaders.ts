import { AbsentLoader } from './absent.ts'
import { AppArmorLoader, type AppArmorOptions } from './apparmor.ts'
import { bpfLoader } from './bpf.ts'
import type { NodeFeatures } from './features.ts'
import type { Loaders, ProfileLoader } from './ports.ts'
import { SeccompLoader, type SeccompOptions } from './seccomp.ts'

export interface LoaderOptions {
  appArmor?: AppArmorOptions
  seccomp?: SeccompOptions
}

/** The enforcers of this node, ready to load; those that it lacks say why with each profile. */
export async function openLoaders(features: NodeFeatures, options: LoaderOptions = {}): Promise<Loaders> {
  return {
    AppArmor: await openAppArmor(features, options.appArmor),
    BPF: bpfLoader(features.BPF),
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
