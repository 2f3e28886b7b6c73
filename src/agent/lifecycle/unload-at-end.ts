import { EnforcerListings } from '../../../actors/loaded-profile/enforcer-listings.ts'
import { isLoadFailure } from '../../../actors/loaded-profile/ports.ts'
import type { KernelEnforcer } from '../../api/enforcer.ts'
import { isBug } from '../../base/bug.ts'
import { type Clock, sleep } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { Loaders } from '../../enforcer/ports.ts'
import {
  type LeftoverOptions,
  type LeftoverReport,
  removeLeftovers,
  sharedScan,
} from '../profiles/orphaned-profiles.ts'
import { removeOwnProfile } from './own-profile.ts'
import { unloadAll } from './unload-all.ts'

export interface UnloadAtEndOptions extends Pick<LeftoverOptions, 'confining' | 'ofContainers'> {
  loaders: Loaders
  /** Enforcers whose profiles the agent always unloads when it stops. */
  always: Readonly<Record<KernelEnforcer, boolean>>
  /** Whether vArmor is being uninstalled. If so, the agent removes all profiles that pods do not need. */
  uninstalled: boolean
  /** Ends all BPF enforcement. */
  endBpf: () => Promise<void>
  /**
   * Removes the profile that the agent itself runs in.
   * @returns whether it was loaded
   */
  removeOwn?: () => Promise<boolean>
  clock: Clock
  /**
   * Milliseconds to wait for pods that are terminating. Default 12,000: less than the kubelet gives the agent to stop.
   */
  timeout?: number
  logger: Logger
}

const pause = 500

/**
 * Unloads profiles when the agent stops, if the options request this. Otherwise profiles stay, and enforcement
 * continues without the agent.
 */
export async function unloadAtEnd(options: UnloadAtEndOptions): Promise<void> {
  const { always, uninstalled, loaders, endBpf, logger, clock, timeout = 12_000 } = options
  const end = clock.now() + timeout
  // Start with the steps that do not wait, because the kubelet kills an agent that stops too slowly.
  for (const enforcer of ['BPF', 'AppArmor', 'Seccomp'] as const) {
    // On an uninstall, remove all BPF profiles: pods do not need them, because a container starts without its BPF
    // profile, too.
    const all = always[enforcer] || (uninstalled && enforcer === 'BPF')
    if (all) {
      const { removed, failed } = await unloadAll(loaders[enforcer])
      if (enforcer === 'BPF') await endBpf()
      logger.info({ enforcer, removed }, 'removed all profiles of the enforcer, because the agent stops')
      if (failed.length > 0) logger.warn({ enforcer, failed }, 'cannot remove some profiles')
    } else if (uninstalled) await removeUnused(enforcer, options, end)
    if (enforcer === 'BPF' && uninstalled) await removeConfinement(options)
  }
}

/**
 * Removes BPF and the agent's own profile. This comes before all steps that wait, because the kubelet kills an agent
 * that stops too slowly. The agent is then unconfined.
 */
async function removeConfinement({ removeOwn = removeOwnProfile, logger }: UnloadAtEndOptions): Promise<void> {
  try {
    if (await removeOwn())
      logger.info({}, "removed the agent's own AppArmor profile, because vArmor is being uninstalled")
  } catch (error) {
    if (!isLoadFailure(error)) throw error
    logger.warn({ reason: error.reason }, "cannot remove the agent's own AppArmor profile; it stays loaded")
  }
}

/**
 * Removes the profiles that pods do not need. A container that restarts in a pod needs the profile that the pod names.
 * Such a profile allows everything, and stays until the node restarts.
 */
async function removeUnused(enforcer: KernelEnforcer, options: UnloadAtEndOptions, end: number): Promise<void> {
  const { loaders, ofContainers, clock, logger } = options
  const confining = sharedScan(options.confining)
  const listings = new EnforcerListings({ [enforcer]: loaders[enforcer] } as unknown as Loaders)
  try {
    const removed: LeftoverReport['removed'] = []
    for (;;) {
      const report = await removeLeftovers({ listings, wanted: new Set(), confining, ofContainers })
      removed.push(...report.removed)
      if (report.kept.length > 0 && clock.now() < end) await sleep(clock, pause)
      else {
        const { kept, failed } = report
        logger.info(
          { removed, kept, failed },
          'removed the profiles that no pod needs, because vArmor is being uninstalled',
        )
        return
      }
    }
  } catch (error) {
    if (isLoadFailure(error))
      return logger.warn({ enforcer, reason: error.reason }, 'cannot list the profiles; they stay loaded')
    const { code, message: reason } = error as NodeJS.ErrnoException
    if (code === undefined || isBug(error)) throw error
    // The search for processes failed with a system error.
    logger.warn({ enforcer, reason }, 'cannot find the processes in the profiles; the profiles stay loaded')
  }
}
