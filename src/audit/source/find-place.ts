import type { FilePosition } from './file-position.ts'
import { LogFile } from './log-file.ts'
import { type ListedFile, listFiles, poll, unpackedSize } from './rotated-files.ts'

/**
 * Why lines may be missing. `vanished`: neither the file nor a rotated successor exists. `truncated`: the file was
 * truncated in place, and no copy has its last content. `compressed`: the file was compressed before it was read to its
 * end. `checkpoint`: the checkpoint was unusable, so reading started without it.
 */
export type GapReason = 'vanished' | 'truncated' | 'compressed' | 'checkpoint'

export interface Gap {
  reason: GapReason
  path: string
  /** Number of unread bytes; null if it is unknown, and may be zero. */
  bytes: number | null
}

/** The file in which reading continues, and the gaps before this place. */
export interface Place {
  /** undefined if the file does not exist yet. */
  file: LogFile | undefined
  gaps: Gap[]
}

/** The file to read after the current file. */
export interface NextFile {
  next: ListedFile
  gaps: Gap[]
}

/**
 * Finds the file of a position among the file at `path` and its rotated predecessors: the same file under any name, or
 * a copy that was made before the file was truncated. The bytes that were read identify the file; inode numbers do not,
 * because they are reused. If no file matches, all data written after the last read is unread.
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

/** Thrown if a file was renamed after it was listed, and before it was opened. The files must be listed again. */
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

/** The uncompressed files: first the file with this id, then all other files from newest to oldest. */
function likelyFirst(files: readonly ListedFile[], id: string): ListedFile[] {
  const plain = files.filter(({ compressed }) => !compressed).toReversed()
  return [...plain.filter((file) => file.id === id), ...plain.filter((file) => file.id !== id)]
}

/**
 * Opens the file at the position, if it matches. `shorter`: the start matches, but the file ends before the position.
 */
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
 * The place after a copy that ends before the position. All data of the copy was read, and the files after the copy are
 * unread. Data that was written after the copy, and before the truncation, is lost.
 */
async function placeAfterCopy(copy: ListedFile, files: readonly ListedFile[]): Promise<Place> {
  const gaps: Gap[] = [{ reason: 'truncated', path: copy.path, bytes: null }]
  if (!copy.live) return openFirst(files.slice(files.indexOf(copy) + 1), gaps)
  const file = await openListed(copy)
  await file.seekEnd()
  return { file, gaps }
}

/**
 * The place if no data was read yet, so that only the file's id can identify it. If the file was the live file, or did
 * not exist, later files may have been written and then copied or renamed. Their birth time shows this. The
 * modification time does not, because a daemon still writes to the old file for a while after a rotation.
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
  // The oldest of these files is the file of the position after its compression. It may have been read to its end.
  const left = size === null ? null : size - position.offset
  return openFirst(others, left === 0 ? [] : [{ reason: 'compressed', path: first.path, bytes: left }])
}

/** Compressed files have modification times in whole seconds. */
const second = 1_000_000_000n

function writtenSince(position: FilePosition, files: readonly ListedFile[]): ListedFile[] {
  const since = BigInt(position.modified)
  return files.filter(({ live, compressed, modified }) =>
    compressed ? modified / second >= since / second : live || modified > since,
  )
}

/** Opens the first uncompressed file at its start. The files before it become gaps. */
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

/** Opens a listed file; undefined if another file has its name now. */
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
 * The file after `file`, which was read to its end. undefined while `file` is live. Also undefined while the new live
 * file is empty, because the writer may still write to `file`.
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

/** The oldest copy of `file` that was made after `file` was opened, and before data was seen in `file`. */
export async function findCopySince(file: LogFile, path: string): Promise<LogFile | undefined> {
  const copies = await listFiles(path)
  const copy = copies.find(({ live, compressed, born }) => !live && !compressed && born > file.modifiedBefore)
  return copy === undefined ? undefined : openListed(copy)
}
