import type { FilePosition } from './file-position.ts'
import { LogFile } from './log-file.ts'
import { type ListedFile, listFiles, poll, unpackedSize } from './rotated-files.ts'

/**
 * Why lines of a followed file may be missing.
 * - vanished: neither the file nor its rotated successors exist
 * - truncated: it was cut in place, and no copy has its last content
 * - compressed: it was compressed before it was read to its end
 * - checkpoint: the checkpoint could not be used, so reading started over
 */
export type GapReason = 'vanished' | 'truncated' | 'compressed' | 'checkpoint'

export interface Gap {
  reason: GapReason
  path: string
  /** Unread bytes; null: unknown, possibly none. */
  bytes: number | null
}

/** Where to continue reading. */
export interface Place {
  /** undefined: the file does not exist yet. */
  file: LogFile | undefined
  gaps: Gap[]
}

/** The file to read after another one. */
export interface NextFile {
  next: ListedFile
  gaps: Gap[]
}

/**
 * Finds a position's file among the file at `path` and its rotated predecessors: the same file under any name, or the
 * copy made before its truncation. The read bytes are the proof; an inode number alone is not, because it is reused. If
 * nothing matches, all that was written after the last read is unread.
 */
export async function findPlace(position: FilePosition, path: string): Promise<Place> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await findPlaceNow(position, path)
    } catch (error) {
      if (!(error instanceof RenamedMeanwhile) || attempt === maxAttempts) throw error
    }
  }
}

const maxAttempts = 20

/** A file was renamed between listing and opening: list again. */
class RenamedMeanwhile extends Error {
  override readonly name = 'RenamedMeanwhile'
  readonly code = 'EAGAIN'
}

async function findPlaceNow(position: FilePosition, path: string): Promise<Place> {
  const files = await listFiles(path)
  if (position.offset === 0 && position.ahead.length === 0) return placeOfUnread(position, files)
  let copy: ListedFile | undefined
  for (const listed of likelyFirst(files, position.id)) {
    const found = await compare(listed, position)
    if (found instanceof LogFile) return { file: found, gaps: [] }
    if (found === 'shorter') copy ??= listed
  }
  return copy === undefined ? placeElsewhere(position, files) : placeAfterCopy(copy, files)
}

/** Readable files: first the one with this identity, then from newest to oldest. */
function likelyFirst(files: readonly ListedFile[], id: string): ListedFile[] {
  const plain = files.filter(({ compressed }) => !compressed).toReversed()
  return [...plain.filter((file) => file.id === id), ...plain.filter((file) => file.id !== id)]
}

/** Opens the file at the position if it matches; `shorter`: its start matches, but it ends before the position. */
async function compare(listed: ListedFile, position: FilePosition): Promise<LogFile | 'shorter' | 'other'> {
  const file = await openListed(listed)
  let kept = false
  try {
    const { begins, same } = await file.compare(position)
    kept = same
    if (kept) {
      await file.seek(position.offset, position.skipping)
      return file
    }
    return begins && listed.size < position.offset ? 'shorter' : 'other'
  } finally {
    if (!kept) await file.close()
  }
}

/**
 * Copy and truncation are two steps; data in between was read from the file itself, if at all. The copy has nothing
 * new, and the files after it are unread.
 */
async function placeAfterCopy(copy: ListedFile, files: readonly ListedFile[]): Promise<Place> {
  const gaps: Gap[] = [{ reason: 'truncated', path: copy.path, bytes: null }]
  if (!copy.live) return openFirst(files.slice(files.indexOf(copy) + 1), gaps)
  const file = await openListed(copy)
  await file.seekEnd()
  return { file, gaps }
}

/**
 * Nothing was read yet, so only the identity decides. If that file is the live one, or there was none, files may have
 * been filled and copied or renamed since, which their birth time shows. The modification time does not: a daemon also
 * writes to an old file for a while after rotation.
 */
function placeOfUnread(position: FilePosition, files: readonly ListedFile[]): Promise<Place> {
  const same = files.find(({ id, compressed }) => id === position.id && !compressed)
  if (same === undefined && position.id !== '') return openFirst(writtenSince(position, files), [])
  const since = BigInt(position.modified)
  const isFirst = (file: ListedFile) => file.live || (file.born > since && !file.compressed)
  const first = same === undefined || same.live ? files.findIndex(isFirst) : files.indexOf(same)
  return openFirst(first === -1 ? [] : files.slice(first), [])
}

async function placeElsewhere(position: FilePosition, files: readonly ListedFile[]): Promise<Place> {
  const unread = writtenSince(position, files)
  const [first, ...others] = unread
  const size = first?.compressed ? await unpackedSize(first) : undefined
  if (first === undefined || size === undefined || (size !== null && size < position.offset)) {
    const reason = files.some(({ id, live }) => live && id === position.id) ? 'truncated' : 'vanished'
    return openFirst(unread, [{ reason, path: position.path, bytes: null }])
  }
  // The oldest compressed file is the file itself; it may have been read to its end.
  const left = size === null ? null : size - position.offset
  return openFirst(others, left === 0 ? [] : [{ reason: 'compressed', path: first.path, bytes: left }])
}

/** A compressed file stores its time in whole seconds. */
const second = 1_000_000_000n

function writtenSince(position: FilePosition, files: readonly ListedFile[]): ListedFile[] {
  const since = BigInt(position.modified)
  return files.filter(({ live, compressed, modified }) =>
    compressed ? modified / second >= since / second : live || modified > since,
  )
}

/** Opens the first readable file at its start; the files before it are gaps. */
async function openFirst(files: readonly ListedFile[], gaps: Gap[]): Promise<Place> {
  for (const listed of files) {
    if (listed.compressed) gaps.push(await compressedGap(listed))
    else return { file: await openListed(listed), gaps }
  }
  return { file: undefined, gaps }
}

async function compressedGap(listed: ListedFile): Promise<Gap> {
  return { reason: 'compressed', path: listed.path, bytes: await unpackedSize(listed) }
}

async function openListed(listed: ListedFile): Promise<LogFile> {
  const file = await openIfThere(listed)
  if (file === undefined) throw new RenamedMeanwhile(`renamed meanwhile: ${listed.path}`)
  return file
}

/** Opens a listed file, unless another file has its name by now. */
export async function openIfThere({ path, id }: ListedFile): Promise<LogFile | undefined> {
  try {
    const file = await LogFile.open(path)
    if (file.id === id) return file
    await file.close()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  return undefined
}

/**
 * The successor of `file`, which was read to its end. Undefined while `file` is live, or while its writer has not moved
 * on, which the first bytes of the new live file show.
 */
export async function findNext(file: LogFile, path: string): Promise<NextFile | undefined> {
  const live = await poll(path)
  if (live?.id === file.id) return undefined
  const files = await listFiles(path)
  const at = files.findIndex(({ id }) => id === file.id)
  const later = at === -1 ? files.filter((other) => other.live || other.modified > file.modified) : files.slice(at + 1)
  const gaps: Gap[] = []
  for (const next of later) {
    if (next.live && next.size === 0) return undefined
    if (!next.compressed) return { next, gaps }
    gaps.push(await compressedGap(next))
  }
  return undefined
}

/** The oldest copy of `file` made after it was opened and before anything was seen in it. */
export async function findCopySince(file: LogFile, path: string): Promise<LogFile | undefined> {
  const copies = await listFiles(path)
  const copy = copies.find(({ live, compressed, born }) => !live && !compressed && born > file.modifiedBefore)
  return copy === undefined ? undefined : openListed(copy)
}
