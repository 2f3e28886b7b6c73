import { type BigIntStats, constants } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** A log file or a rotated predecessor, as listed in its directory. */
export interface ListedFile {
  path: string
  /** `device:inode`. */
  id: string
  size: number
  /** Modification time, in nanoseconds since the epoch. */
  modified: bigint
  /** Creation time, in nanoseconds since the epoch. */
  born: bigint
  compressed: boolean
  /** Whether this is the file with the followed name, to which the log is written. */
  live: boolean
}

/** Suffixes of a rotated log: `.1`, `-20240101`, `.2.gz`, … */
const rotated = /^[.-](\d[\d.-]*?)(\.(?:gz|bz2|xz|zst|lz4|Z))?$/
/** Maximum digits of a rotation's number. Longer numbers are dates. */
const maxCount = 5

interface Suffix {
  text: string
  compressed: boolean
}

export function parseSuffix(name: string, base: string): Suffix | undefined {
  if (!name.startsWith(base)) return undefined
  const match = rotated.exec(name.slice(base.length))
  return match === null ? undefined : { text: match[1]!, compressed: match[2] !== undefined }
}

type Aged = ListedFile & { suffix: string }

const isCount = ({ suffix }: Aged): boolean => suffix.length <= maxCount && !/\D/.test(suffix)

/**
 * Sorts rotated files from oldest to newest: by number (the highest number is the oldest file), or by date. If a
 * directory has numbers and dates, it sorts by modification time.
 */
function byAge(files: readonly Aged[]): Aged[] {
  const byDate = (a: Aged, b: Aged) => (a.suffix < b.suffix ? -1 : a.suffix > b.suffix ? 1 : 0)
  if (files.every(isCount)) return files.toSorted((a, b) => Number(b.suffix) - Number(a.suffix))
  if (!files.some(isCount)) return files.toSorted(byDate)
  return files.toSorted((a, b) => Number(a.modified - b.modified) || byDate(a, b))
}

/**
 * The file at `path` and its rotated predecessors, from oldest to newest, with the live file last. It lists the files
 * until two lists agree, because a list made during a rotation may lack a file, or contain a file twice.
 */
export async function listFiles(path: string): Promise<ListedFile[]> {
  let before = await listOnce(path)
  for (let poll = 1; poll < maxLooks; poll++) {
    const now = await listOnce(path)
    if (sameFiles(before, now)) return now
    before = now
  }
  return before
}

const maxLooks = 20

const sameFiles = (a: readonly ListedFile[], b: readonly ListedFile[]): boolean =>
  a.length === b.length && a.every(({ path, id }, i) => path === b[i]!.path && id === b[i]!.id)

async function listOnce(path: string): Promise<ListedFile[]> {
  // If the path is a symbolic link, the rotated files are beside its target.
  const target = await unlessMissing(realpath(path), path)
  const [folder, base] = [dirname(target), basename(target)]
  const found: Aged[] = []
  for (const name of await unlessMissing(readdir(folder), [])) {
    const suffix = parseSuffix(name, base)
    const file = suffix === undefined ? undefined : await poll(join(folder, name), false, suffix.compressed)
    if (file !== undefined) found.push({ ...file, suffix: suffix!.text })
  }
  const live = await poll(target, true)
  return live === undefined ? byAge(found) : [...byAge(found), live]
}

/** The file with this path; undefined if it does not exist. */
export async function poll(path: string, live = true, compressed = false): Promise<ListedFile | undefined> {
  const found = await unlessMissing<BigIntStats | undefined>(stat(path, { bigint: true }), undefined)
  if (found === undefined || !found.isFile()) return undefined
  const { dev, ino, size, mtimeNs, birthtimeNs } = found
  return { path, id: `${dev}:${ino}`, size: Number(size), modified: mtimeNs, born: birthtimeNs, compressed, live }
}

async function unlessMissing<T>(promise: Promise<T>, instead: T): Promise<T> {
  try {
    return await promise
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return instead
    throw error
  }
}

/**
 * The uncompressed size of a .gz file, modulo 4 GiB, from the file's last four bytes. null for a broken file, and for
 * another kind of file.
 */
export async function unpackedSize({ path, size }: ListedFile): Promise<number | null> {
  if (!path.endsWith('.gz') || size < 18) return null
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(4), 0, 4, size - 4)
    return bytesRead === 4 ? buffer.readUInt32LE() : null
  } finally {
    await handle.close()
  }
}
