import { openIfThere } from '../../audit/source/find-place.ts'
import type { LogFile } from '../../audit/source/log-file.ts'
import { type ListedFile, listFiles } from '../../audit/source/rotated-files.ts'
import { openUnpacked } from './unpacked-file.ts'

/** An open file of the log. It stays open when it is renamed. */
export interface OpenedFile {
  path: string
  file: LogFile
  /** Size in bytes when the file was opened. */
  size: number
  /** Whether the file has the name of the log. A file with another name is an older, rotated file. */
  live: boolean
}

export interface OpenedLog {
  /** The files, the oldest first. */
  files: OpenedFile[]
  /** Compressed files that cannot be read. */
  unread: { path: string; problem: string }[]
}

/** A position in a log. */
export interface Place {
  /** Index of the file in `files`. */
  index: number
  /** Offset in the file, in bytes. */
  offset: number
}

const maxAttempts = 20

/**
 * Opens a log and all its rotated files at the same time, so that each file is read once, even if it is renamed later.
 * @param since Unix seconds; files that were last written before this time are left out
 */
export async function openLog(path: string, since = 0): Promise<OpenedLog> {
  for (let attempt = 1; ; attempt++) {
    const listed = (await listFiles(path)).filter(({ live, modified }) => live || Number(modified) / 1e9 >= since)
    const log = await openAll(listed)
    if (log.files.length + log.unread.length === listed.length || attempt === maxAttempts) return log
    await closeAll(log.files) // A file was renamed while the files were opened.
  }
}

export async function closeAll(files: readonly OpenedFile[]): Promise<void> {
  await Promise.all(files.map(({ file }) => file.close()))
}

async function openAll(listed: readonly ListedFile[]): Promise<OpenedLog> {
  const log: OpenedLog = { files: [], unread: [] }
  try {
    for (const one of listed) {
      const { path, live, compressed } = one
      const file = await (compressed ? openUnpacked(one) : openIfThere(one))
      if (file === undefined) continue
      if ('problem' in file) log.unread.push({ path, problem: file.problem })
      else log.files.push({ path, file, size: file.behind, live })
    }
  } catch (error) {
    await closeAll(log.files)
    throw error
  }
  return log
}
