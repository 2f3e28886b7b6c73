import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../../api/validate-schema.ts'

/** What Docker itself knows of a container, and does not say to containerd. */
export interface DockerNames {
  name?: string
  labels: Record<string, string>
}

/**
 * Reads Docker's file about a container, which is there before it starts; Docker's API would have one wait that is being started.
 * @param root Docker's folder, such as /var/lib/docker
 * @returns undefined where there is none
 */
export async function dockerNames(root: string, id: string): Promise<DockerNames | undefined> {
  if (!/^[0-9a-f]{64}$/.test(id)) return undefined
  try {
    const value: unknown = JSON.parse(await readFile(join(root, 'containers', id, 'config.v2.json'), 'utf8'))
    if (!isObject(value)) return undefined
    const [name, config] = [value['Name'], value['Config']]
    const labels = isObject(config) && isObject(config['Labels']) ? Object.entries(config['Labels']) : []
    return {
      ...(typeof name === 'string' && { name: name.replace(/^\//, '') }),
      labels: Object.fromEntries(labels.map(([key, label]) => [key, String(label)])),
    }
  } catch (error) {
    // It is of another Docker, or is being written.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code !== undefined) return undefined
    throw error
  }
}
