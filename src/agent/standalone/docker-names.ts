import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../../api/validate-schema.ts'
import { mebibyte } from '../../base/bytes.ts'
import { parseObject, textsOf } from '../containers/oci-spec.ts'

/** What Docker itself knows of a container, and does not say to containerd. */
export interface DockerNames {
  name?: string
  labels: Record<string, string>
}

/** Docker writes some ten KiB. */
const maxBytes = 4 * mebibyte

/**
 * Reads Docker's file about a container, which is there before it starts; Docker's API would have one wait that is
 * being started.
 * @param root Docker's folder, such as /var/lib/docker
 * @returns undefined where there is none
 */
export async function dockerNames(root: string, id: string): Promise<DockerNames | undefined> {
  if (!/^[0-9a-f]{64}$/.test(id)) return undefined
  try {
    const path = join(root, 'containers', id, 'config.v2.json')
    if ((await stat(path)).size > maxBytes) return undefined
    const value = parseObject(await readFile(path, 'utf8'))
    if (value === undefined) return undefined
    const [name, config] = [value['Name'], value['Config']]
    return {
      ...(typeof name === 'string' && { name: name.replace(/^\//, '') }),
      labels: textsOf(isObject(config) ? config['Labels'] : undefined),
    }
  } catch (error) {
    // It is of another Docker.
    if ((error as NodeJS.ErrnoException).code !== undefined) return undefined
    throw error
  }
}
