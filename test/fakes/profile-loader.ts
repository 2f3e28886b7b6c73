import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import { EnforcerError } from '../../src/enforcer/enforcer-error.ts'
import { checkName, contentDigest, type ProfileLoader } from '../../src/enforcer/ports.ts'

/** The content of a freed profile, which is also a valid seccomp filter. */
export const allowed = '{"defaultAction":"SCMP_ACT_ALLOW"}'

/** An in-memory enforcer. It must keep the same contract as the real enforcers (test/enforcer/loader-contract.ts). */
export class FakeProfileLoader implements ProfileLoader {
  readonly enforcer: KernelEnforcer
  /** The text in force for each profile. */
  readonly texts = new Map<string, string>()
  readonly damaged = new Set<string>()
  /** Errors of the next loads; each load throws one. */
  faults: EnforcerError[] = []
  unloadFaults: EnforcerError[] = []
  listFaults: EnforcerError[] = []
  readonly calls: string[] = []
  running = 0
  maxAtOnce = 0
  /** A promise that each call waits for. */
  pause: () => Promise<void> = async () => undefined

  constructor(enforcer: KernelEnforcer) {
    this.enforcer = enforcer
  }

  async load(name: string, content: string): Promise<void> {
    await this.#call(`load ${name}`)
    checkName('load the profile', name)
    const fault = this.faults.shift()
    if (fault !== undefined) throw fault
    this.texts.set(name, content)
    this.damaged.delete(name)
  }

  async unload(name: string, needed?: () => Promise<boolean>): Promise<void> {
    await this.#call(`unload ${name}`)
    checkName('unload the profile', name)
    if (await needed?.()) throw new EnforcerError('IN_USE', 'unload the profile', { profile: name })
    const fault = this.unloadFaults.shift()
    if (fault !== undefined) throw fault
    this.texts.delete(name)
    this.damaged.delete(name)
  }

  async free(name: string): Promise<string> {
    await this.load(name, allowed)
    return contentDigest(allowed)
  }

  async list(): Promise<Map<string, string>> {
    await this.#call('list')
    const fault = this.listFaults.shift()
    if (fault !== undefined) throw fault
    return new Map(
      Array.from(this.texts, ([name, text]) => [name, this.damaged.has(name) ? '' : contentDigest(text)] as const),
    )
  }

  count(call: string): number {
    return this.calls.filter((one) => one.startsWith(call)).length
  }

  async #call(name: string): Promise<void> {
    this.calls.push(name)
    this.maxAtOnce = Math.max(this.maxAtOnce, ++this.running)
    await this.pause()
    this.running--
  }
}
