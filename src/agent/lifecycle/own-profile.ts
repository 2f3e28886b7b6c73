import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { appArmorFolder } from '../../enforcer/apparmor-kernel.ts'
import { errnoOf, ioError } from '../../enforcer/enforcer-error.ts'

/**
 * The chart's name for the AppArmor profile of agents. The profiles of policies have names that begin with `varmor-`,
 * so they cannot have this name.
 */
export const ownProfile = 'varmor.agent'

const step = "remove the agent's own AppArmor profile"
const noAppArmor = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'])

/**
 * Removes the profile from the kernel. Its processes are then unconfined.
 * @returns whether the profile was loaded
 * @throws {EnforcerError} if the kernel refuses
 */
export async function removeOwnProfile(folder = appArmorFolder): Promise<boolean> {
  if (!(await isLoaded(join(folder, 'profiles')))) return false
  const path = join(folder, '.remove')
  try {
    await writeFile(path, ownProfile)
  } catch (error) {
    throw ioError(step, path, error)
  }
  return true
}

async function isLoaded(path: string): Promise<boolean> {
  try {
    return (await readFile(path, 'utf8')).split('\n').some((line) => line.startsWith(`${ownProfile} (`))
  } catch (error) {
    if (noAppArmor.has(errnoOf(error) ?? '')) return false
    throw ioError(step, path, error)
  }
}
