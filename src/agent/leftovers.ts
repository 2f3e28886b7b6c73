import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EnforcerListings } from '../../actors/loaded-profile/enforcer-listings.ts'
import { isLoadFailure } from '../../actors/loaded-profile/ports.ts'
import type { KernelEnforcer } from '../api/enforcer.ts'
import { profileOfLabel } from '../audit/enrich/profile-of-label.ts'

export interface LeftoverOptions {
  listings: EnforcerListings
  /** Whether an ArmorProfile has the profile. Only right once all ArmorProfiles are known. */
  wanted: { has(profile: string): boolean }
  /** Names of profiles that processes of the node run in; see `confiningProfiles`. */
  confining(): Promise<ReadonlySet<string>>
  /** Names of profiles that containers of the node were made with; undefined while the containers are not known. */
  ofContainers(): ReadonlySet<string> | undefined
}

export interface LeftoverReport {
  removed: { enforcer: KernelEnforcer; profile: string }[]
  /** Still used; to be looked at again later. */
  kept: { enforcer: KernelEnforcer; profile: string; why: string }[]
  failed: { enforcer: KernelEnforcer; profile: string; reason: string }[]
}

/**
 * Removes profiles of ours that no ArmorProfile wants: their policies went while no agent was here. What is still used
 * stays until a later call:
 * - AppArmor and BPF: a process that runs in the profile would be unconfined from that moment on.
 * - Seccomp: processes have the filter already, but a container that is started again in the same pod reads the file
 *   again, and without it does not start.
 */
export async function removeLeftovers(options: LeftoverOptions): Promise<LeftoverReport> {
  const report: LeftoverReport = { removed: [], kept: [], failed: [] }
  const found = await unwanted(options)
  if (found.length === 0) return report
  const [confining, containers] = [await options.confining(), options.ofContainers()]
  for (const { enforcer, profile } of found) {
    const why = useOf(profile, confining, containers)
    // An ArmorProfile may have come since the first look.
    if (options.wanted.has(profile)) continue
    if (why !== undefined) report.kept.push({ enforcer, profile, why })
    else await remove(options.listings, enforcer, profile, report)
  }
  return report
}

async function unwanted({
  listings,
  wanted,
}: LeftoverOptions): Promise<{ enforcer: KernelEnforcer; profile: string }[]> {
  const found: { enforcer: KernelEnforcer; profile: string }[] = []
  for (const enforcer of listings.enforcers)
    for (const profile of (await listings.listing(enforcer)).keys())
      if (!wanted.has(profile)) found.push({ enforcer, profile })
  return found
}

function useOf(
  profile: string,
  confining: ReadonlySet<string>,
  containers: ReadonlySet<string> | undefined,
): string | undefined {
  if (confining.has(profile)) return 'a process runs in it'
  if (containers === undefined) return 'the containers of the node are not known yet'
  return containers.has(profile) ? 'a container was made with it' : undefined
}

async function remove(
  listings: EnforcerListings,
  enforcer: KernelEnforcer,
  profile: string,
  report: LeftoverReport,
): Promise<void> {
  try {
    await listings.unload(enforcer, profile)
    report.removed.push({ enforcer, profile })
  } catch (error) {
    if (!isLoadFailure(error)) throw error
    report.failed.push({ enforcer, profile, reason: error.reason })
  }
}

const noLabel = new Set(['ENOENT', 'ESRCH', 'EINVAL', 'EACCES', 'EPERM'])

/**
 * Profiles of ours that processes run in, by their AppArmor labels. `attr/apparmor/current` (Linux 5.8) is AppArmor's own
 * where several modules share `attr/current`.
 * @param root a proc file system that shows the node's pid namespace
 */
export async function confiningProfiles(root = '/proc'): Promise<Set<string>> {
  const found = new Set<string>()
  for (const pid of await readdir(root)) {
    if (!/^\d+$/.test(pid)) continue
    const label =
      (await labelOf(join(root, pid, 'attr/apparmor/current'))) ?? (await labelOf(join(root, pid, 'attr/current')))
    const { name, ours } = profileOfLabel(label ?? '')
    if (ours) found.add(name)
  }
  return found
}

async function labelOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replace(/[\n\0]+$/, '')
  } catch (error) {
    if (noLabel.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
