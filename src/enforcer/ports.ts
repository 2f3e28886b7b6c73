import { createHash } from 'node:crypto'
import type { KernelEnforcer } from '../api/enforcer.ts'
import { MAX_PROFILE_NAME } from '../api/profile-name.ts'
import { EnforcerError } from './enforcer-error.ts'

/**
 * What one enforcer of this node holds. Everything fails with an EnforcerError; after a failed `load` what was in force
 * before is still in force.
 */
export interface ProfileLoader {
  readonly enforcer: KernelEnforcer
  /**
   * Loads or replaces. Loading the same content again changes nothing and succeeds; it also puts back what was lost.
   * `content`: AppArmor's text, the filter as OCI JSON, BPF rules as the JSON of a BpfProfile, or of a BpfContent from
   * a manager older than ArmorProfiles with a source. `tenant`: whose it is, for a loader whose loads wait for each
   * other.
   */
  load(name: string, content: string, tenant?: string): Promise<void>
  /**
   * Unloading what is not there changes nothing and succeeds.
   * @param needed whether it must stay after all; asked by a loader whose unloads wait for others, directly before. It
   * fails with IN_USE then
   */
  unload(name: string, needed?: () => Promise<boolean>): Promise<void>
  /**
   * Puts what allows all in the place of the profile: who runs in it is free, and what names it still starts.
   * @returns the `contentDigest` of what is in its place
   */
  free(name: string): Promise<string>
  /**
   * Our loaded profiles, by name, with the `contentDigest` of their contents. The digest is empty for a profile that
   * may differ from the loaded contents: damaged, replaced by another process, or from before this process.
   */
  list(): Promise<Map<string, string>>
}

export type Loaders = Readonly<Record<KernelEnforcer, ProfileLoader>>

/** Equal for equal content only. */
export const contentDigest = (content: string): string => createHash('sha256').update(content).digest('hex')

/** How all profiles of ours begin. */
export const ownPrefix = 'varmor-'

const ownName = /^varmor-[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/

/**
 * Whether it can be the name of a profile of ours: a single step of a path, and nothing that a text could break out of.
 */
export const isOwnName = (name: string): boolean => name.length <= MAX_PROFILE_NAME && ownName.test(name)

/** @throws {EnforcerError} BAD_NAME */
export function checkName(step: string, name: string): void {
  if (isOwnName(name)) return
  const reason = `the name of a profile must start with ${ownPrefix}, in lower case, and have at most ${MAX_PROFILE_NAME} bytes`
  throw new EnforcerError('BAD_NAME', step, { profile: name.slice(0, 100), reason })
}
