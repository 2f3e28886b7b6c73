import type { KernelEnforcer } from '../api/enforcer.ts'
import { EnforcerError } from './enforcer-error.ts'
import type { ProfileLoader } from './ports.ts'

/** Stands for an enforcer that this node lacks. It has no profiles, and refuses each load with the reason. */
export class AbsentLoader implements ProfileLoader {
  readonly enforcer: KernelEnforcer
  /** Why the node lacks the enforcer. */
  readonly reason: string

  constructor(enforcer: KernelEnforcer, reason: string) {
    this.enforcer = enforcer
    this.reason = reason
  }

  async load(name: string): Promise<never> {
    throw new EnforcerError('FEATURE_ABSENT', 'load the profile', { profile: name, reason: this.reason })
  }

  async unload(): Promise<void> {
    // There is nothing to remove, because the enforcer has no profiles.
  }

  async free(name: string): Promise<string> {
    return this.load(name)
  }

  async list(): Promise<Map<string, string>> {
    return new Map()
  }
}
