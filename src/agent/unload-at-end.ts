import { EnforcerListings } from '../../actors/loaded-profile/enforcer-listings.ts'
import { isLoadFailure } from '../../actors/loaded-profile/ports.ts'
import type { KernelEnforcer } from '../api/enforcer.ts'
import { isBug } from '../base/bug.ts'
import { type Clock, sleep } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Loaders } from '../enforcer/ports.ts'
import { type LeftoverOptions, type LeftoverReport, removeLeftovers, sharedScan } from './orphaned-profiles.ts'
import { removeOwnProfile } from './own-profile.ts'
import { unloadAll } from './unload-all.ts'

export interface UnloadAtEndOptions extends Pick<LeftoverOptions, 'confining' | 'ofContainers'> {
  loaders: Loaders
  /** Whose profiles go with the agent in any case. */
  always: Readonly<Record<KernelEnforcer, boolean>>
  /** vArmor leaves the cluster: the agent removes all profiles that no pod needs. */
  uninstalled: boolean
  /** Ends all BPF enforcement. */
  endBpf: () => Promise<void>
  /** Removes the profile that the agent itself runs in. @returns whether there was one */
  removeOwn?: () => Promise<boolean>
  clock: Clock
  /**
   * Milliseconds for which pods that are on their way out are waited for. Default 12,000: less than the kubelet waits
   * for the agent.
   */
  timeout?: number
  logger: Logger
}

const pause = 500

/** Unloads profiles at the end of the agent where asked to. Else they stay: enforcement continues without it. */
export async function unloadAtEnd(options: UnloadAtEndOptions): Promise<void> {
  const { always, uninstalled, loaders, endBpf, logger, clock, timeout = 12_000 } = options
  const end = clock.now() + timeout
  // What waits for nothing comes first: the kubelet may kill the agent.
  for (const enforcer of ['BPF', 'AppArmor', 'Seccomp'] as const) {
    // A pod that names a BPF profile does not need it to be there.
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

/** Before anything that waits, like BPF: an agent that takes long is killed. It ends unconfined then. */
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
 * A container that restarts in a pod that names a profile needs the profile: a profile that allows all stays until the
 * node restarts.
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
    // What the system says when the processes of the node are looked at.
    logger.warn({ enforcer, reason }, 'cannot find the processes in the profiles; the profiles stay loaded')
  }
}
