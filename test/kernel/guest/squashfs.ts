import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { output } from '../../cluster/command.ts'

/** Not compressed, because an emulated CPU unpacks slower than it reads. */
const plainSquashfs = ['-noI', '-noD', '-noF', '-noX', '-no-xattrs']

/**
 * Makes a read-only file system from a folder. Equal content gives equal bytes.
 * @param excluded paths below the folder, with wildcards; `... *.map` matches at any depth
 */
export async function makeSquashfs(folder: string, image: string, excluded: readonly string[] = []): Promise<void> {
  const same = ['-no-exports', '-all-root', '-mkfs-time', '0', '-all-time', '0', '-processors', '1']
  const without = excluded.length === 0 ? [] : ['-wildcards', '-e', ...excluded]
  await output('mksquashfs', [
    folder,
    image,
    ...plainSquashfs,
    ...same,
    '-noappend',
    '-quiet',
    '-no-progress',
    ...without,
  ])
}

/** Makes a read-only file system from a tar archive, with the archive's owners and devices. */
export async function squashTar(archive: Readable, image: string): Promise<void> {
  // sqfstar 4.5 corrupts one of two files that differ only in their last bytes, as BPF programs of two versions may.
  const writer = spawn('sqfstar', [...plainSquashfs, '-no-duplicates', '-quiet', '-no-progress', image], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const written = once(writer, 'close')
  archive.pipe(writer.stdin!)
  // sqfstar stops reading at the archive's end, before the padding. Reading the rest lets the writer end.
  writer.stdin!.on('error', () => undefined).on('close', () => archive.resume())
  const [status] = await written
  if (status !== 0) throw new Error(`sqfstar: exit status ${status}`)
}
