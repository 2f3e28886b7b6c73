import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EnforcerListings } from '../../../actors/loaded-profile/enforcer-listings.ts'
import { isLoadFailure } from '../../../actors/loaded-profile/ports.ts'
import type { KernelEnforcer } from '../../api/enforcer.ts'
import { profileOfLabel } from '../../audit/enrich/profile-of-label.ts'

export interface LeftoverOptions {
  listings: EnforcerListings
  /** Returns whether an ArmorProfile has the profile. This is reliable only when all ArmorProfiles are known. */
  wanted: { has(profile: string): boolean }
  /** Returns the names of profiles that confine processes of the node; see `confiningProfiles`. */
  confining(): Promise<ReadonlySet<string>>
  /** Returns the names of profiles that pods of the node refer to; undefined while the pods are not known. */
  ofContainers(): ReadonlySet<string> | undefined
}

interface Leftover {
  enforcer: KernelEnforcer
  profile: string
}

export interface LeftoverReport {
  removed: Leftover[]
  /** Profiles still in use that now allow everything. */
  freed: Leftover[]
  /** Profiles still in use; a later call checks them again. */
  kept: (Leftover & { reason: string })[]
  failed: (Leftover & { reason: string })[]
}

/** Maximum profiles that are removed at the same time. */
const atOnce = 50

/**
 * Removes vArmor profiles without an ArmorProfile, because their policies were deleted. A profile in use stays until a
 * later call, but allows everything: a container that restarts in a pod needs the profile that the pod names. A process
 * keeps its seccomp filter.
 */
export async function removeLeftovers(options: LeftoverOptions): Promise<LeftoverReport> {
  const { listings } = options
  const report: LeftoverReport = { removed: [], freed: [], kept: [], failed: [] }
  const found = await unwanted(options)
  if (found.length === 0) return report
  const [confining, containers] = [await options.confining(), options.ofContainers()]
  const settle = async ({ enforcer, profile }: Leftover): Promise<void> => {
    const reason = useOf(profile, confining, containers)
    if (reason === undefined) {
      const needed = async () =>
        options.wanted.has(profile) || useOf(profile, await options.confining(), options.ofContainers()) !== undefined
      return attempt(enforcer, profile, report, 'removed', () => listings.unload(enforcer, profile, needed))
    }
    report.kept.push({ enforcer, profile, reason })
    if (!listings.isFree(enforcer, profile))
      await attempt(enforcer, profile, report, 'freed', () => listings.free(enforcer, profile))
  }
  // A loader removes several profiles in one step, so remove them together. Check again for an ArmorProfile, because it
  // may have arrived since the first check.
  while (found.length > 0)
    await Promise.all(
      found
        .splice(0, atOnce)
        .filter(({ profile }) => !options.wanted.has(profile))
        .map(settle),
    )
  return report
}

async function unwanted({ listings, wanted }: LeftoverOptions): Promise<Leftover[]> {
  const found: Leftover[] = []
  for (const enforcer of listings.enforcers)
    for (const profile of (await listings.listing(enforcer)).keys())
      if (!wanted.has(profile)) found.push({ enforcer, profile })
  return found
}

/** Why the profile must stay; undefined if it is not in use. */
export function useOf(
  profile: string,
  confining: ReadonlySet<string>,
  containers: ReadonlySet<string> | undefined,
): string | undefined {
  if (confining.has(profile)) return 'a process runs in this profile'
  if (containers === undefined) return 'the containers of the node are not known yet'
  return containers.has(profile) ? 'a pod names this profile' : undefined
}

async function attempt(
  enforcer: KernelEnforcer,
  profile: string,
  report: LeftoverReport,
  as: 'removed' | 'freed',
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work()
    report[as].push({ enforcer, profile })
  } catch (error) {
    if (!isLoadFailure(error)) throw error
    report.failed.push({ enforcer, profile, reason: error.reason })
  }
}

const noLabel = new Set(['ENOENT', 'ESRCH', 'EINVAL', 'EACCES', 'EPERM'])

/**
 * Returns the vArmor profiles that confine processes, by the processes' AppArmor labels. `attr/apparmor/current` (Linux
 * 5.8) always has AppArmor's label; `attr/current` may have the label of another security module.
 * @param root a proc file system that shows the node's pid namespace
 */
export async function confiningProfiles(root = '/proc'): Promise<Set<string>> {
  const found = new Set<string>()
  for (const pid of await readdir(root)) {
    if (!/^\d+$/.test(pid)) continue
    const label =
      (await labelOf(join(root, pid, 'attr/apparmor/current'))) ?? (await labelOf(join(root, pid, 'attr/current')))
    for (const name of profileOfLabel(label ?? '').own) found.add(name)
  }
  return found
}

/**
 * Wraps a scan so that callers share it, because hundreds of profiles may be removed at the same time. A running scan
 * may have missed new processes, so a new caller shares the next scan.
 * @param scan such as `confiningProfiles`
 */
export function sharedScan(scan: LeftoverOptions['confining']): LeftoverOptions['confining'] {
  let last: Promise<unknown> = Promise.resolve()
  let next: Promise<ReadonlySet<string>> | undefined
  return () => {
    next ??= last.then(() => {
      next = undefined
      return scan()
    })
    last = next.catch(() => undefined)
    return next
  }
}

async function labelOf(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replace(/[\n\0]+$/, '')
  } catch (error) {
    if (noLabel.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
