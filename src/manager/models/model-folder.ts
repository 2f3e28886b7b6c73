import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelFiles } from '../../../actors/model/ports.ts'
import { dynamicResult } from '../../api/schema/behaviour.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { DynamicResult } from '../../api/types.ts'
import { validateSchema } from '../../api/validate-schema.ts'

/**
 * What was recorded and is too large for an object (`storageType: LocalDisk`), a file each, in a folder of this manager. It is a copy: where
 * it is missing, as with a manager that takes the lead, nodes are asked again, and they keep theirs as long as the ArmorProfile is there.
 */
export class ModelFolder implements ModelFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async read(key: string): Promise<DynamicResult | undefined> {
    const text = await readFile(this.#path(key), 'utf8').catch(missing)
    if (text === undefined) return undefined
    const value = jsonOf(text)
    // One that is cut, or that somebody changed, is none: it comes again from the nodes.
    return value === undefined || validateSchema(nodeOf(dynamicResult), value).length > 0
      ? undefined
      : (value as DynamicResult)
  }

  async write(key: string, data: DynamicResult): Promise<void> {
    const path = this.#path(key)
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const file = await open(`${path}.new`, 'w', 0o600)
    try {
      await file.writeFile(JSON.stringify(data))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.new`, path)
  }

  async remove(key: string): Promise<void> {
    await rm(this.#path(key), { force: true })
  }

  #path(key: string): string {
    if (!/^[a-z0-9-]+\/[a-z0-9.-]+$/.test(key)) throw new Error(`no key of an ArmorProfile: ${key}`)
    return join(this.#folder, `${key.replace('/', '_')}.json`)
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The caller says so: undefined is no JSON.
    return undefined
  }
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}
