import { output } from '../../cluster/command.ts'

/** Not compressed: an emulated processor would take longer to unpack it than to read it. */
export const plainSquashfs = ['-noI', '-noD', '-noF', '-noX', '-no-xattrs']

/**
 * Makes a read-only file system of a folder. Equal content gives equal bytes.
 * @param excluded paths below the folder, with wildcards; `... *.map` means at any depth
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
