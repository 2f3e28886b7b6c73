import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { output } from '../command.ts'
import { busybox } from '../requirements.ts'
import { measured, type StepLog } from '../steps.ts'
import type { Binaries } from './build.ts'
import { cached, cacheRoot } from './cached.ts'

/** Names that pods use, and the archives that nodes import. */
export const pauseImage = 'docker.io/varmor/pause:1'
export const busyboxImage = 'docker.io/varmor/busybox:1'

export interface Images {
  archives: string[]
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const architecture = { x64: 'amd64', arm64: 'arm64' }[arch()] ?? arch()

/** An archive of `folder` that depends on nothing but its content. */
async function pack(folder: string, archive: string): Promise<void> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
  await output('tar', [...same, '-cf', archive, '-C', folder, '.'])
}

/**
 * Makes `archive`, an image of one layer in the OCI layout, out of the files in `root`.
 * Format: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export async function makeImage(name: string, root: string, entrypoint: string[], archive: string): Promise<void> {
  const layout = `${archive}.layout`
  const blobs = join(layout, 'blobs', 'sha256')
  mkdirSync(blobs, { recursive: true })
  const blob = (mediaType: string, bytes: Buffer): { mediaType: string; digest: string; size: number } => {
    writeFileSync(join(blobs, sha256(bytes)), bytes)
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${sha256(bytes)}`,
      size: bytes.length,
    }
  }
  await pack(root, `${archive}.layer`)
  const layer = blob('layer.v1.tar', readFileSync(`${archive}.layer`))
  const config = {
    architecture,
    os: 'linux',
    config: { Env: ['PATH=/bin'], Entrypoint: entrypoint },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: blob('config.v1+json', Buffer.from(JSON.stringify(config))),
    layers: [layer],
  }
  const entry = blob('manifest.v1+json', Buffer.from(JSON.stringify(manifest)))
  const annotations = { 'io.containerd.image.name': name }
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...entry, annotations }] }),
  )
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  await pack(layout, archive)
  for (const done of [layout, `${archive}.layer`]) rmSync(done, { recursive: true })
}

/** Makes the images that real nodes run, from the busybox of this machine and our own pause; once for these two. */
export async function ensureImages(binaries: Binaries, log: StepLog): Promise<Images> {
  const programs = [readFileSync(binaries.pause), readFileSync(busybox), readFileSync(import.meta.filename)]
  const key = `images-${sha256(Buffer.concat(programs)).slice(0, 16)}`
  const { folder } = await measured(log, 'images of real nodes', () =>
    cached(cacheRoot(), key, async (draft) => {
      const place = (root: string, program: string, path: string): void => {
        const copy = join(draft, root, path)
        mkdirSync(join(copy, '..'), { recursive: true })
        copyFileSync(program, copy)
        chmodSync(copy, 0o755)
      }
      place('pause', binaries.pause, 'pause')
      await makeImage(pauseImage, join(draft, 'pause'), ['/pause'], join(draft, 'pause.tar'))
      place('busybox', busybox, 'bin/busybox')
      for (const applet of (await output(busybox, ['--list'])).split('\n')) {
        if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(draft, 'busybox', 'bin', applet))
      }
      for (const folder of ['etc', 'tmp', 'root']) mkdirSync(join(draft, 'busybox', folder))
      await makeImage(busyboxImage, join(draft, 'busybox'), [], join(draft, 'busybox.tar'))
      for (const done of ['pause', 'busybox']) rmSync(join(draft, done), { recursive: true })
    }),
  )
  return { archives: ['pause.tar', 'busybox.tar'].map((archive) => join(folder, archive)) }
}
