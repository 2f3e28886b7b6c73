import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelFiles, Stored } from '../../../actors/model/ports.ts'
import { Mutex } from '../../../actors/modeller/mutex.ts'
import { formatFieldError } from '../../api/field-error.ts'
import { dynamicResult } from '../../api/schema/behaviour.ts'
import { nodeOf } from '../../api/schema/node.ts'
import type { ArmorProfileModel, DynamicResult } from '../../api/types.ts'
import { validateSchema } from '../../api/validate-schema.ts'
import { mebibyte } from '../../base/bytes.ts'
import { type Clock, systemClock } from '../../base/clock.ts'
import { type Logger, noLogger } from '../../base/logger.ts'
import type { Change } from '../../kube/change.ts'
import { sizeOf } from '../../model/profile/kept-in-object.ts'
import type { ClusterView } from '../cluster-view.ts'

/**
 * Maximum bytes of all files. The chart's volume is twice as large, because the kubelet evicts a manager that fills its
 * volume.
 */
const FOLDER_BYTES = 512 * mebibyte

/**
 * Milliseconds after which the view certainly has the object of a written file, even if its watch broke several times.
 */
const SHOWN_AFTER = 600_000

/** The files of all namespaces, or of one namespace, have too many bytes. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom'
}

/**
 * Stores recorded data that is too large for an object (`storageType: LocalDisk`), in one file per model. The files are
 * copies: if a file is missing, as on a new leader, nodes are asked again. Nodes keep their data while the ArmorProfile
 * exists.
 */
export class ModelFolder implements ModelFiles {
  readonly #folder: string
  readonly #max: number
  /**
   * Runs changes one at a time, so that each change sees the room that is left, and a removal comes after the write.
   */
  readonly #changes = new Mutex()
  /** The models in the cluster; unknown before `follow`. */
  #models: ClusterView['models']['store'] | undefined

  readonly #clock: Pick<Clock, 'now'>
  /** Times at which this manager wrote the files, by path. */
  readonly #writtenAt = new Map<string, number>()
  readonly #log: Pick<Logger, 'warn'>

  /** @param max maximum bytes of all files; one namespace gets at most a quarter */
  constructor(
    folder: string,
    max = FOLDER_BYTES,
    clock: Pick<Clock, 'now'> = systemClock,
    log: Pick<Logger, 'warn'> = noLogger,
  ) {
    this.#log = log
    this.#folder = folder
    this.#max = max
    this.#clock = clock
  }

  async read(model: Stored): Promise<DynamicResult | undefined> {
    const path = this.#path(model)
    const state = await stat(path).catch(missing)
    if (state === undefined) return undefined
    if (state.size > this.#max) return this.#unusable(path, `it has ${state.size} bytes`)
    const value = jsonOf(await readFile(path, 'utf8'))
    if (value === undefined) return this.#unusable(path, 'it is not JSON')
    const [error] = validateSchema(nodeOf(dynamicResult), value, { max: 1 })
    return error === undefined ? (value as DynamicResult) : this.#unusable(path, formatFieldError(error))
  }

  /** Logs why a file is unusable. A truncated or changed file counts as missing. */
  #unusable(file: string, reason: string): undefined {
    this.#log.warn({ file, reason }, 'cannot use the file of a model; ignoring it until the nodes send the model again')
  }

  /** @throws {NoRoom} and the disk's error */
  write(model: Stored, data: DynamicResult): Promise<void> {
    return this.#changes.run(async () => {
      const path = this.#path(model)
      await this.checkRoom(model, data)
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      this.#writtenAt.set(path, this.#clock.now())
      const file = await open(`${path}.new`, 'w', 0o600)
      try {
        await file.writeFile(JSON.stringify(data))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(`${path}.new`, path)
    })
  }

  /** Removes the file, and a partial file of a failed write. */
  remove(model: Stored): Promise<void> {
    return this.#changes.run(async () => {
      this.#writtenAt.delete(this.#path(model))
      for (const end of ['', '.new']) await rm(`${this.#path(model)}${end}`, { force: true })
    })
  }

  /**
   * Checks whether the data fits now. A model without a uid is new.
   * @throws {NoRoom}
   */
  async checkRoom(model: Stored, data: DynamicResult): Promise<void> {
    const bytes = sizeOf(data)
    if (await this.#hasRoom(model, bytes)) return
    await this.#sweep(SHOWN_AFTER)
    if (await this.#hasRoom(model, bytes)) return
    throw new NoRoom(
      `the folder cannot take ${bytes} bytes more: of models that are too large for an object of the API server, a manager stores at most ${this.#max} bytes, and a quarter of that per namespace; delete models that you do not need`,
    )
  }

  /**
   * Removes files without an object, and later each file when its object is deleted. Call it when the view is synced.
   * @returns a function that ends it
   */
  async follow(models: Pick<ClusterView['models'], 'store' | 'subscribe'>): Promise<() => void> {
    this.#models = models.store
    await this.#sweep(0)
    const handle = async (change: Change<ArmorProfileModel>): Promise<void> => {
      const { type, object } = change
      if (type === 'deleted') await this.remove(object)
      else if (type === 'updated' && change.old.metadata.uid !== object.metadata.uid) await this.remove(change.old)
    }
    // Needs each change: an object that was created and deleted during a write may have a file, too.
    return models.subscribe({ name: 'files', mode: 'edge', handle })
  }

  async #hasRoom({ metadata: { namespace = '', uid } }: Stored, bytes: number): Promise<boolean> {
    let [all, ofNamespace] = [bytes, bytes]
    for (const name of await this.#names()) {
      if (name.startsWith(`${namespace}_${uid}.`)) continue
      const { size } = (await stat(join(this.#folder, name)).catch(missing)) ?? { size: 0 }
      all += size
      if (name.startsWith(`${namespace}_`)) ofNamespace += size
    }
    return all <= this.#max && ofNamespace <= this.#max / 4
  }

  /** Removes files without an object that were written at least `age` milliseconds ago. */
  async #sweep(age: number): Promise<void> {
    if (this.#models === undefined) return
    const now = this.#clock.now()
    const hasFile = ({ storageType }: ArmorProfileModel): boolean => storageType === 'LocalDisk'
    const kept = new Set([...this.#models.values()].filter(hasFile).map((model) => this.#path(model)))
    for (const name of await this.#names()) {
      const path = join(this.#folder, name)
      if (!/\.json(\.new)?$/.test(name) || kept.has(path)) continue
      const writtenAt = this.#writtenAt.get(path.replace(/\.new$/, ''))
      if (writtenAt === undefined || now - writtenAt >= age) await rm(path, { force: true })
    }
    for (const [path, at] of this.#writtenAt) if (now - at >= age) this.#writtenAt.delete(path)
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.#folder).catch(missing)) ?? []
  }

  #path({ metadata: { namespace, uid } }: Stored): string {
    const name = `${namespace}_${uid}`
    if (!/^[a-z0-9-]+_[a-z0-9-]+$/.test(name)) throw new Error(`${name} is not a valid file name`)
    return join(this.#folder, `${name}.json`)
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // JSON never yields undefined, so the caller recognizes and reports it.
    return undefined
  }
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}
