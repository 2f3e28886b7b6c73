import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../../api/validate-schema.ts'
import { mebibyte } from '../../base/bytes.ts'
import { textsOf } from '../../kube/read-object.ts'
import { parseObject } from '../containers/oci-spec.ts'

/** Data about a container that Docker does not pass to containerd. */
export interface DockerNames {
  name?: string
  labels: Record<string, string>
}

/** Maximum bytes of Docker's file, which usually has some ten KiB. */
const maxBytes = 4 * mebibyte

/**
 * Reads Docker's file about a container. The file exists before the container starts, when Docker's API would still
 * block.
 * @param root Docker's folder, such as /var/lib/docker
 * @returns undefined if Docker has no such container
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
    // The file is invalid: another version of Docker wrote it.
    if ((error as NodeJS.ErrnoException).code !== undefined) return undefined
    throw error
  }
}
