import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { locked } from '../../cluster/binaries/locked.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCache, kernelCached } from '../guest/cache.ts'
import type { Guest } from '../guest/guest.ts'
import type { Disk } from '../guest/qemu.ts'
import { squashTar } from '../guest/squashfs.ts'
import { ensureBusyboxArchive } from './busybox.ts'
import { ensureDebianArchive, ensureServicesArchive } from './debian.ts'
import { ensureNextVarmorArchive, ensureVarmorArchive } from './varmor.ts'

/** Images besides busybox, which every guest has. */
export type ImageName = 'debian' | 'services' | 'varmor' | 'next-varmor'

/**
 * A disk with these images as containerd stores them. Under emulation an import takes a minute, so one guest does it
 * once, and later guests use the result.
 * @param root the image of the guest's root, with its containerd
 * @param boot boots a guest with disks of archives
 */
export async function ensureImageStore(
  images: readonly ImageName[],
  root: string,
  boot: (archives: readonly Disk[]) => Promise<Guest>,
  log: StepLog,
): Promise<string> {
  const archives = [{ serial: 'image-busybox', image: await ensureBusyboxArchive(log) }]
  if (images.includes('debian')) archives.push({ serial: 'image-debian', image: await ensureDebianArchive(log) })
  if (images.includes('services')) archives.push({ serial: 'image-services', image: await ensureServicesArchive(log) })
  if (images.includes('varmor')) archives.push({ serial: 'image-varmor', image: await ensureVarmorArchive(log) })
  if (images.includes('next-varmor'))
    archives.push({ serial: 'image-next-varmor', image: await ensureNextVarmorArchive(log) })
  const key = digest('layout 2', dirname(root), ...archives.map(({ image }) => image))
  mkdirSync(kernelCache(), { recursive: true })
  // Runs outside the cache's lock, because the guest's boot also takes the lock.
  const folder = existsSync(join(kernelCache(), `store-${key}`))
    ? await kernelCached('store', key, gone)
    : await locked(join(kernelCache(), '.store-lock'), () =>
        measured(log, `images of ${['busybox', ...images].join(', ')}, unpacked in a guest`, () =>
          make(key, archives, boot),
        ),
      )
  return join(folder, 'store.squashfs')
}

async function make(
  key: string,
  archives: readonly Disk[],
  boot: (disks: readonly Disk[]) => Promise<Guest>,
): Promise<string> {
  const scratch = mkdtempSync(join(kernelCache(), '.store-'))
  try {
    const image = join(scratch, 'store.squashfs')
    const guest = await boot(archives)
    try {
      await pack(guest, image)
    } finally {
      await guest.stop()
    }
    return await kernelCached('store', key, async (draft) => renameSync(image, join(draft, 'store.squashfs')))
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

async function pack(guest: Guest, image: string): Promise<void> {
  const packing = guest.spawn(['containerd-pack'])
  packing.stdin.end()
  const complaints = text(packing.stderr)
  const [{ code }] = await Promise.all([packing.exited, squashTar(packing.stdout, image)])
  if (code !== 0) throw new Error(`containerd-pack: ${code}\n${await complaints}`)
}

const gone = (): Promise<never> =>
  Promise.reject(new Error('an image store was removed while it was looked for; try again'))
