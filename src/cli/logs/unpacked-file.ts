import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { openIfThere } from '../../audit/source/find-place.ts'
import type { LogFile } from '../../audit/source/log-file.ts'
import { type ListedFile, poll } from '../../audit/source/rotated-files.ts'
import { isSystemError, reasonOf } from '../input.ts'

/** The uncompressed file, or why it cannot be read; undefined if the file no longer exists. */
export type Unpacked = LogFile | { problem: string } | undefined

/** Maximum uncompressed bytes of a file. */
const maxUnpacked = 2 ** 30

/**
 * Opens the content of a `.gz` file. The content is written to a temporary file, which is deleted at once and thus
 * disappears when it is closed.
 */
export async function openUnpacked({ path, modified }: ListedFile, max = maxUnpacked): Promise<Unpacked> {
  if (!path.endsWith('.gz'))
    return { problem: 'is compressed, but not with gzip (.gz); unpack it and name it with --file FILE' }
  const folder = await mkdtemp(join(tmpdir(), 'varmor-logs-'))
  try {
    const copy = join(folder, 'log')
    await pipeline(createReadStream(path), createGunzip(), atMost(max), createWriteStream(copy, { mode: 0o600 }))
    await utimes(copy, Number(modified) / 1e9, Number(modified) / 1e9)
    const found = await poll(copy, false)
    return found && (await openIfThere(found))
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined
    if (error instanceof TooLarge)
      return { problem: `contains more than ${max} bytes; unpack it and name it with --file FILE` }
    // The operating system's errors have a reason for users; zlib's errors only have codes of their own.
    if (isSystemError(error)) return { problem: reasonOf(error) }
    throw error
  } finally {
    await rm(folder, { recursive: true })
  }
}

class TooLarge extends Error {}

function atMost(max: number): Transform {
  let length = 0
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      length += chunk.length
      if (length > max) done(new TooLarge())
      else done(null, chunk)
    },
  })
}
