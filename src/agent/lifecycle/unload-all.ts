import { EnforcerError } from '../../enforcer/enforcer-error.ts'
import type { ProfileLoader } from '../../enforcer/ports.ts'

export interface Unloaded {
  /** Names of profiles. */
  removed: string[]
  failed: { profile: string; reason: string }[]
}

/**
 * Unloads every vArmor profile of the enforcer, even profiles in use. A process in an unloaded AppArmor profile is
 * unconfined.
 */
export async function unloadAll(loader: ProfileLoader): Promise<Unloaded> {
  const result: Unloaded = { removed: [], failed: [] }
  const attempt = async (profile: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof EnforcerError)) throw error
      result.failed.push({ profile, reason: error.reason })
    }
  }
  let names: string[] = []
  await attempt('', async () => {
    names = [...(await loader.list()).keys()]
  })
  // Unload all at the same time, because a loader unloads many profiles in one step.
  const unload = (name: string): Promise<void> =>
    attempt(name, async () => {
      await loader.unload(name)
      result.removed.push(name)
    })
  await Promise.all(names.map(unload))
  return result
}
