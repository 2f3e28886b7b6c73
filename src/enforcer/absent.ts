import type { KernelEnforcer } from '../api/enforcer.ts'
import { EnforcerError } from './enforcer-error.ts'
import type { ProfileLoader } from './ports.ts'

/** An enforcer that this node lacks: it holds nothing, and says why it cannot load profiles. */
export class AbsentLoader implements ProfileLoader {
  readonly enforcer: KernelEnforcer
  /** Why it is absent. */
  readonly reason: string

  constructor(enforcer: KernelEnforcer, reason: string) {
    this.enforcer = enforcer
    this.reason = reason
  }

  async load(name: string): Promise<never> {
    throw new EnforcerError('FEATURE_ABSENT', 'load the profile', { profile: name, reason: this.reason })
  }

  async unload(): Promise<void> {
    // There is never anything to remove.
  }

  async free(name: string): Promise<string> {
    return this.load(name)
  }

  async list(): Promise<Map<string, string>> {
    return new Map()
  }
}
