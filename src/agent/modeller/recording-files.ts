import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { RecordingFiles, StoredRecording } from '../../../actors/modeller/ports.ts'
import { type PieceContent, pieceContent } from '../../api/model-report.ts'
import { systemClock } from '../../base/clock.ts'

const count = Type.Integer({ minimum: 0 })
const schema = Type.Object({
  version: Type.Literal(1),
  id: Type.String({ minLength: 1, maxLength: 128 }),
  /** Null if the node joined after the recording had ended. */
  began: Type.Union([Type.Number({ minimum: 0, maximum: 8.64e15 }), Type.Null()]),
  complete: Type.Boolean(),
  records: count,
  ofRuntime: count,
  lost: count,
  gaps: Type.Array(Type.Object({ from: Type.String(), to: Type.String(), why: Type.String() }), { maxItems: 64 }),
  behaviour: Type.Unsafe<PieceContent>(pieceContent),
})

/** Maximum bytes of a recording. A larger file is not a recording. */
const MAX = 256 * 1024 * 1024

/**
 * The recordings in a folder of the agent, with a file for each recording. Only root can read the files, because they
 * name files of the workload. A file has a line with the digest of the rest, then JSON. A new version is written beside
 * the old file and then replaces it.
 */
export class RecordingFolder implements RecordingFiles {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async read(key: string): Promise<{ stored: StoredRecording; seen: number } | { broken: string } | undefined> {
    const path = this.#path(key)
    const state = await stat(path).catch(missing)
    if (state === undefined) {
      const isLost = (await stat(`${path}.broken`).catch(missing)) !== undefined
      return isLost ? { broken: `only ${path}.broken exists` } : undefined
    }
    const text = state.size > MAX ? `of ${state.size} bytes` : await readFile(path, 'utf8')
    const stored = parsed(text)
    if (typeof stored !== 'string') return { stored, seen: state.mtimeMs }
    await rename(path, `${path}.broken`)
    return { broken: `${path} ${stored}; kept as ${path}.broken` }
  }

  async write(key: string, stored: StoredRecording): Promise<void> {
    const path = this.#path(key)
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const { began, ...rest } = stored
    const body = JSON.stringify({ version: 1, ...rest, began: Number.isNaN(began) ? null : began })
    const file = await open(`${path}.new`, 'w', 0o600)
    try {
      await file.writeFile(`${digestOf(body)}\n${body}`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.new`, path)
    await synced(dirname(path))
  }

  async touch(key: string): Promise<void> {
    const now = systemClock.wall() / 1_000
    await utimes(this.#path(key), now, now)
  }

  has(key: string): boolean {
    return existsSync(this.#path(key))
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key)
    for (const one of [path, `${path}.new`, `${path}.broken`]) await rm(one, { force: true })
  }

  /**
   * Removes all recordings except the recordings with these keys. The ArmorProfiles of the removed recordings were
   * deleted while no agent ran here.
   */
  async keepOnly(keys: ReadonlySet<string>): Promise<void> {
    for (const name of (await readdir(this.#folder).catch(missing)) ?? []) {
      // In a file name, `_` separates namespace and name; a namespace cannot contain it.
      const key = name.replace(/\.recording(\.new|\.broken)?$/, '').replace('_', '/')
      if (!keys.has(key)) await rm(join(this.#folder, name), { force: true })
    }
  }

  /** Names of objects cannot contain `/`, `%` or NUL, and a namespace cannot contain a dot. */
  #path(key: string): string {
    if (!/^[a-z0-9-]+\/[a-z0-9.-]+$/.test(key)) throw new Error(`invalid key of an ArmorProfile: ${key}`)
    return join(this.#folder, `${key.replace('/', '_')}.recording`)
  }
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The recording in the text, or the reason why it is invalid. */
function parsed(text: string): StoredRecording | string {
  const end = text.indexOf('\n')
  if (end === -1) return 'is not a recording'
  const body = text.slice(end + 1)
  if (digestOf(body) !== text.slice(0, end)) return 'is changed or truncated'
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return 'is not JSON'
  }
  if (!Value.Check(schema, value)) return 'has another version'
  const { version: _, began, ...rest }: Static<typeof schema> = value
  return { ...rest, began: began ?? Number.NaN }
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
  return undefined
}

async function synced(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
