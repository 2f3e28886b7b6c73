import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildDeb } from '../../../deploy/build-deb.ts'
import { output } from '../../cluster/command.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { ensureBpfObjects } from '../guest/bpf-object.ts'
import type { Disk } from '../guest/qemu.ts'
import { makeSquashfs } from '../guest/squashfs.ts'

/** Path of the package's files in a guest with this disk. */
export const packageInGuest = '/images/varmor'

/**
 * A disk with the Debian package or with the package's files, and a function that removes the disk.
 * @returns undefined if this machine cannot build BPF programs
 */
export async function packageDisk(
  log: StepLog,
  as: 'package' | 'files',
): Promise<{ disk: Disk; remove(): void } | undefined> {
  const bpf = await ensureBpfObjects(log)
  if (bpf === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'varmor-package-'))
  const image = join(folder, 'varmor.squashfs')
  await measured(log, 'Debian package', async () => {
    const content = join(folder, 'content')
    const deb = await buildDeb({ folder: as === 'package' ? content : folder, bpf, compression: 'none' })
    if (as === 'files') await output('dpkg-deb', ['-x', deb, content])
    await makeSquashfs(content, image)
  })
  return {
    disk: { serial: 'image-varmor', image },
    remove: () => rmSync(folder, { recursive: true }),
  }
}
