import type { KernelEnforcer } from '../api/enforcer.ts'
import { checkName, contentDigest, type Loaders, type ProfileLoader } from '../enforcer/ports.ts'

/** A loader that only records profiles, because a sandbox has no kernel of its own. */
export class RecordingLoader implements ProfileLoader {
  readonly enforcer: KernelEnforcer
  /** The profiles that would be in force, by name. */
  readonly loaded = new Map<string, string>()

  constructor(enforcer: KernelEnforcer) {
    this.enforcer = enforcer
  }

  async load(name: string, content: string): Promise<void> {
    checkName('load the profile', name)
    this.loaded.set(name, content)
  }

  async unload(name: string): Promise<void> {
    checkName('unload the profile', name)
    this.loaded.delete(name)
  }

  async free(name: string): Promise<string> {
    await this.load(name, 'all is allowed')
    return contentDigest('all is allowed')
  }

  async list(): Promise<Map<string, string>> {
    return new Map(Array.from(this.loaded, ([name, content]) => [name, contentDigest(content)] as const))
  }
}

export type RecordingLoaders = Loaders & Readonly<Record<KernelEnforcer, RecordingLoader>>

export const recordingLoaders = (): RecordingLoaders => ({
  AppArmor: new RecordingLoader('AppArmor'),
  BPF: new RecordingLoader('BPF'),
  Seccomp: new RecordingLoader('Seccomp'),
})
