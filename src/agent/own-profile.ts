import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { appArmorFolder } from '../enforcer/apparmor-kernel.ts'
import { errnoOf, ioError } from '../enforcer/enforcer-error.ts'

/**
 * The AppArmor profile of agents, as the chart calls it. It is no policy's: their names have a dash where this has a
 * dot.
 */
export const ownProfile = 'varmor.agent'

const step = "remove the agent's own AppArmor profile"
const noAppArmor = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM'])

/**
 * Removes it from the kernel, where it is; who runs in it is unconfined then, so this comes last.
 * @returns whether it was there
 * @throws {EnforcerError} when the kernel refuses that
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
