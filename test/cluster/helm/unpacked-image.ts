import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { output, result } from '../command.ts'

/** The content of an image. */
export interface UnpackedImage {
  /** All layers, unpacked. */
  bytes: number
  /** Paths of the image's files and folders, without the leading slash. */
  paths: ReadonlySet<string>
  /** The image's configuration, in the form of the OCI image specification. */
  config: { User: string; Labels: Record<string, string> }
  /** The text of a file, from the last layer that contains it. */
  read(path: string): Promise<string>
  remove(): void
}

/** Unpacks an OCI archive that buildah has written. */
export async function unpackImage(archive: string): Promise<UnpackedImage> {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-image-'))
  const blob = (digest: string): string => join(folder, 'blobs', digest.replace(':', '/'))
  const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
  await output('tar', ['-xf', archive, '-C', folder])
  const manifest = json(blob(json(join(folder, 'index.json')).manifests[0].digest))
  const layers = (manifest.layers as { digest: string }[]).map(({ digest }) => blob(digest))
  let bytes = 0
  const paths = new Set<string>()
  for (const layer of layers) {
    await pipeline(createReadStream(layer), createGunzip(), async (pieces: AsyncIterable<Buffer>) => {
      for await (const piece of pieces) bytes += piece.length
    })
    for (const path of (await output('tar', ['-tzf', layer])).split('\n')) paths.add(path)
  }
  return {
    bytes,
    paths,
    config: json(blob(manifest.config.digest)).config,
    async read(path) {
      for (const layer of layers.toReversed()) {
        const { status, stdout } = await result('tar', ['-xzOf', layer, path])
        if (status === 0) return stdout
      }
      throw new Error(`the image has no ${path}`)
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}
