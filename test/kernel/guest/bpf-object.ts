import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildBpf, missingForBpf } from '../../../deploy/build-bpf.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached } from './cache.ts'
import { ensureKernel, type Kernel } from './kernels.ts'

const project = join(import.meta.dirname, '..', '..', '..')

/** Magic bytes of a kernel image's payload, and the program that unpacks it. */
const packings = [
  { magic: '28b52ffd', unpack: ['zstd', '-dcq'] },
  { magic: 'fd377a585a00', unpack: ['xz', '-dcq', '--single-stream'] },
  { magic: '1f8b08', unpack: ['gzip', '-dcq'] },
]

/**
 * Extracts the kernel with its types (BTF) from its image. Documentation/arch/x86/boot.rst says where the payload is:
 * `payload_offset`, `payload_length`. The uncompressed size follows the payload and is not part of it.
 */
export function unpackKernel(image: Buffer): Buffer {
  const setup = (image.readUInt8(0x1f1) + 1) * 512
  const start = setup + image.readUInt32LE(0x248)
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c))
  const packing = packings.find(({ magic }) => payload.subarray(0, magic.length / 2).toString('hex') === magic)
  if (packing === undefined) throw new Error(`a kernel that is packed as ${payload.subarray(0, 8).toString('hex')}`)
  const [program, ...args] = packing.unpack
  const input = packing.unpack[0] === 'gzip' ? payload : payload.subarray(0, -4)
  return execFileSync(program!, args, { input, maxBuffer: 1 << 28 })
}

/** A change to the source before the build, which forces a case that is rare otherwise. */
export interface Change {
  file: string
  text: string
  instead: string
}

/** Files of native/bpf by name, with their content. */
function sources(change?: Change): Map<string, string> {
  const folder = join(project, 'native', 'bpf')
  const names = readdirSync(folder).filter((name) => /\.[ch]$/.test(name))
  const files = new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
  if (change === undefined) return files
  const { file, text, instead } = change
  const parts = files.get(file)?.split(text)
  if (parts?.length !== 2) throw new Error(`${file} has to have this once: ${text}`)
  return files.set(file, parts.join(instead))
}

/**
 * Builds the BPF objects, which are the same for all kernels, with the types of Linux 6.12; older kernels lack some
 * types.
 * @returns the folder of the objects; undefined if this machine lacks a build program
 */
export async function ensureBpfObjects(log: StepLog, change?: Change): Promise<string | undefined> {
  if (missingForBpf().length > 0) return undefined
  const kernel: Kernel = await ensureKernel('6.12', log)
  const files = sources(change)
  const builder = readFileSync(join(project, 'deploy', 'build-bpf.ts'))
  const key = digest('layout 1', kernel.release, ...files.values(), builder)
  return kernelCached('bpf', key, (draft) =>
    measured(log, 'BPF programs', async () => {
      const types = join(draft, 'vmlinux')
      writeFileSync(types, unpackKernel(readFileSync(kernel.vmlinuz)))
      for (const [name, text] of files) writeFileSync(join(draft, name), text)
      buildBpf(types, draft, process.arch, draft)
      for (const name of readdirSync(draft)) if (!name.endsWith('.bpf.o')) rmSync(join(draft, name))
    }),
  )
}
