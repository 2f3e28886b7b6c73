import { unwatchFile, watchFile } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { formatFieldError } from '../../api/field-error.ts'
import { type NodeContents, readContents } from '../../audit/enrich/node-contents.ts'
import type { SnapshotFeed } from '../../audit/enrich/snapshot-feed.ts'
import { mebibyte } from '../../base/bytes.ts'
import type { Logger } from '../../base/logger.ts'

/** Milliseconds between two checks of the file. We poll because editors and mounts replace the file. */
const pollInterval = 500

/** Maximum bytes of the file. This is enough for thousands of containers with some hundred bytes each. */
const maxBytes = 64 * mebibyte

/** Milliseconds for which a removed container or policy is remembered, because its last events may still arrive. */
const rememberedFor = 60_000

/** Container information from a file that another program maintains. */
export class ContainersFile {
  contents: NodeContents
  #path: string
  #logger: Logger
  #leaving = new Map<string, NodeJS.Timeout>()
  #reading: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(path: string, contents: NodeContents, logger: Logger) {
    this.#path = path
    this.contents = contents
    this.#logger = logger
  }

  /** Returns undefined, and logs why, when the file cannot be used. */
  static async open(path: string, logger: Logger): Promise<ContainersFile | undefined> {
    const contents = await read(path, logger)
    return contents === undefined ? undefined : new ContainersFile(path, contents, logger)
  }

  /** Sends each later change to `feed`. While the file is unusable, the last state stays. */
  follow(feed: SnapshotFeed): void {
    watchFile(this.#path, { interval: pollInterval, persistent: false }, () => {
      this.#reading = this.#reading.then(() => this.#update(feed))
    })
  }

  close(): void {
    this.#closed = true
    unwatchFile(this.#path)
    for (const timer of this.#leaving.values()) clearTimeout(timer)
  }

  async #update(feed: SnapshotFeed): Promise<void> {
    const contents = await read(this.#path, this.#logger)
    if (contents === undefined || this.#closed) return
    this.contents = contents
    const containers = contents.containers.filter(
      (one) => !isDeepStrictEqual(feed.containers.get(one.containerID), one),
    )
    const policies = contents.policies.filter((one) => !isDeepStrictEqual(feed.policies.get(one.profileName), one))
    if (containers.length + policies.length > 0) feed.update({ containers, policies })
    const ids = new Set(contents.containers.map(({ containerID }) => containerID))
    const names = new Set(contents.policies.map(({ profileName }) => profileName))
    for (const id of feed.containers.keys())
      this.#see(`container ${id}`, ids.has(id), () => feed.update({ withoutContainers: [id] }))
    for (const name of feed.policies.keys())
      this.#see(`policy ${name}`, names.has(name), () => feed.update({ withoutPolicies: [name] }))
  }

  /** Forgets a missing container or policy, unless it reappears within the time limit. */
  #see(key: string, here: boolean, forget: () => void): void {
    const leaving = this.#leaving.get(key)
    if (here) {
      clearTimeout(leaving)
      this.#leaving.delete(key)
    } else if (leaving === undefined) {
      const timer = setTimeout(() => {
        this.#leaving.delete(key)
        forget()
      }, rememberedFor)
      this.#leaving.set(key, timer.unref())
    }
  }
}

async function read(path: string, logger: Logger): Promise<NodeContents | undefined> {
  try {
    const { size } = await stat(path)
    if (size > maxBytes) {
      logger.error({ file: path, bytes: size }, `the containers file is ignored: it has more than ${maxBytes} bytes`)
      return undefined
    }
    const contents = readContents(await readFile(path, 'utf8'))
    if (contents.ok) return contents.value
    logger.error(
      { file: path, reason: contents.errors.map(formatFieldError).join('; ') },
      'the containers file has errors',
    )
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    logger.error({ file: path, code, reason: message }, 'cannot read the containers file')
  }
  return undefined
}
