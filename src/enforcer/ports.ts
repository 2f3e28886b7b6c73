import { createHash } from 'node:crypto'
import type { KernelEnforcer } from '../api/enforcer.ts'
import { MAX_PROFILE_NAME } from '../api/profile-name.ts'
import { EnforcerError } from './enforcer-error.ts'

/**
 * Loads the profiles of one enforcer on this node. Every error is an EnforcerError. After a failed `load` the previous
 * version is still in force.
 */
export interface ProfileLoader {
  readonly enforcer: KernelEnforcer
  /**
   * Loads or replaces a profile. A load of the same content succeeds, and repairs the profile. `content`: AppArmor's
   * text, the seccomp filter as OCI JSON, or BPF rules as JSON of a BpfProfile (from an old manager: of a BpfContent).
   * `tenant`: owner of the profile, for a loader whose loads wait for each other.
   */
  load(name: string, content: string, tenant?: string): Promise<void>
  /**
   * Unloads a profile; succeeds if the profile is not loaded.
   * @param needed called directly before the unload, if the unload had to wait. If it returns true, the unload fails
   * with IN_USE
   */
  unload(name: string, needed?: () => Promise<boolean>): Promise<void>
  /**
   * Replaces the profile by a profile that allows everything. Its processes are then free, and containers that name the
   * profile still start.
   * @returns the `contentDigest` of the new content
   */
  free(name: string): Promise<string>
  /**
   * Returns our loaded profiles, by name, with the `contentDigest` of each. The digest is empty if the content is
   * uncertain: the profile is damaged, another process has replaced it, or it was loaded before this process started.
   */
  list(): Promise<Map<string, string>>
}

export type Loaders = Readonly<Record<KernelEnforcer, ProfileLoader>>

/** A digest that is equal only for equal content. */
export const contentDigest = (content: string): string => createHash('sha256').update(content).digest('hex')

/** Prefix of all names of vArmor profiles. */
export const ownPrefix = 'varmor-'

const ownName = /^varmor-[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/

/**
 * Whether the text can be the name of a vArmor profile: a single part of a path, without special characters of profile
 * texts.
 */
export const isOwnName = (name: string): boolean => name.length <= MAX_PROFILE_NAME && ownName.test(name)

/** @throws {EnforcerError} BAD_NAME */
export function checkName(step: string, name: string): void {
  if (isOwnName(name)) return
  const reason = `the name of a profile must start with ${ownPrefix}, in lower case, and have at most ${MAX_PROFILE_NAME} bytes`
  throw new EnforcerError('BAD_NAME', step, { profile: name.slice(0, 100), reason })
}
