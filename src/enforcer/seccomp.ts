import { allowingSeccomp } from './allow-all.ts'
import { EnforcerError } from './enforcer-error.ts'
import type { FileSystem } from './file-system.ts'
import { checkName, contentDigest, type ProfileLoader } from './ports.ts'
import { ProfileFolder } from './profile-folder.ts'

/** Folder in which the kubelet looks up `localhostProfile`: `seccomp` in its root folder. */
export const kubeletSeccompFolder = '/var/lib/kubelet/seccomp'

export interface SeccompOptions {
  folder?: string
  fs?: FileSystem
}

/**
 * Loads seccomp filters by writing them to files. The runtime reads a file when it creates a container that names it,
 * so changes apply only to new containers.
 */
export class SeccompLoader implements ProfileLoader {
  readonly enforcer = 'Seccomp'
  readonly #files: ProfileFolder

  constructor({ folder = kubeletSeccompFolder, fs }: SeccompOptions = {}) {
    this.#files = new ProfileFolder(folder, { ...(fs !== undefined && { fs }) })
  }

  /** Removes files that were staged before a crash. Call it once, before any other method. */
  start(): Promise<void> {
    return this.#files.removeStaged()
  }

  async load(name: string, content: string): Promise<void> {
    checkName('load the seccomp profile', name)
    checkFilter(name, content)
    if ((await this.#files.read(name)) === content) return
    await this.#files.stage(name, content)
    await this.#files.commit(name)
  }

  unload(name: string): Promise<void> {
    return this.#files.remove(name)
  }

  async free(name: string): Promise<string> {
    await this.load(name, allowingSeccomp)
    return contentDigest(allowingSeccomp)
  }

  list(): Promise<Map<string, string>> {
    return this.#files.list()
  }
}

/** Refuses a text that is not a filter. The runtime would refuse every container that names such a file. */
function checkFilter(name: string, content: string): void {
  const refuse = (reason: string): EnforcerError =>
    new EnforcerError('BAD_CONTENT', 'load the seccomp profile', { profile: name, reason })
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw refuse(`it is not JSON: ${(error as Error).message}`)
  }
  if (typeof value !== 'object' || value === null || !('defaultAction' in value))
    throw refuse('it is not a Seccomp profile: it has no defaultAction')
}
