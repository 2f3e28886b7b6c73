import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { output } from '../command.ts'

export interface OciImage {
  /** The image name that pods use. */
  name: string
  /** Paths of tar archives, the lowest first. Images may share them. */
  layers: readonly string[]
  entrypoint?: readonly string[]
  command?: readonly string[]
}

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const architecture = { x64: 'amd64', arm64: 'arm64' }[arch()] ?? arch()

/** Packs `folder` into an archive that depends only on the folder's content. */
export async function pack(folder: string, archive: string): Promise<void> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
  await output('tar', [...same, '-cf', archive, '-C', folder, '.'])
}

interface Descriptor {
  mediaType: string
  digest: string
  size: number
}

/**
 * Makes one archive of images, for `ctr images import`.
 * Format: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export async function makeOciArchive(images: readonly OciImage[], archive: string): Promise<void> {
  const layout = `${archive}.layout`
  const blobs = join(layout, 'blobs', 'sha256')
  mkdirSync(blobs, { recursive: true })
  const blob = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = sha256(bytes)
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), bytes)
    return { mediaType: `application/vnd.oci.image.${mediaType}`, digest, size: bytes.length }
  }
  const json = (mediaType: string, value: object): Descriptor => blob(mediaType, Buffer.from(JSON.stringify(value)))
  const manifests = images.map(({ name, layers, entrypoint = [], command = [] }) => {
    const packed = layers.map((layer) => blob('layer.v1.tar', readFileSync(layer)))
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    const config = json('config.v1+json', {
      architecture,
      os: 'linux',
      config: { Env: [`PATH=${path}`], Entrypoint: entrypoint, Cmd: command, WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: packed.map(({ digest }) => digest) },
    })
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const manifest = json('manifest.v1+json', { schemaVersion: 2, mediaType, config, layers: packed })
    return { ...manifest, annotations: { 'io.containerd.image.name': name } }
  })
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  await pack(layout, archive)
  rmSync(layout, { recursive: true })
}
