import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { output } from '../../cluster/command.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { Apt } from './apt.ts'
import { digest, kernelCached, subfolder } from './cache.ts'
import { NotAvailable } from './not-available.ts'
import { makeSquashfs } from './squashfs.ts'

export const kernelNames = ['5.10', '6.1', '6.12', 'sid'] as const
export type KernelName = (typeof kernelNames)[number]

/** The kernels that a run tests by default. */
export const defaultKernels: readonly KernelName[] = ['6.1', '6.12']

/** Variable with the names of the requested kernels, for tests outside of the guests. */
export const kernelsVariable = 'VARMOR_TEST_KERNELS'

export const chosenKernels = (): readonly KernelName[] => {
  const names = process.env[kernelsVariable]?.split(',') ?? defaultKernels
  return kernelNames.filter((name) => names.includes(name))
}

/** The Debian suites with a kernel, and the package that depends on its newest version. */
interface Origin {
  suites: readonly string[]
  package: string
}

const origins: Record<KernelName, Origin> = {
  '5.10': { suites: ['bullseye', 'bullseye-security'], package: 'linux-image-cloud-amd64' },
  '6.1': { suites: ['bookworm', 'bookworm-security'], package: 'linux-image-cloud-amd64' },
  // The kernel of the next release, also built for this one; it is as small as the other kernels, and has the same
  // compiler.
  '6.12': { suites: ['bookworm-security'], package: 'linux-image-6.12-cloud-amd64' },
  sid: { suites: ['sid'], package: 'linux-image-cloud-amd64' },
}

/** Version of the layout of the folder below; raise it when the layout changes. */
const layout = '1'

/** A Debian kernel, unpacked but not installed. */
export interface Kernel {
  name: KernelName
  /** Version of the kernel, as `uname -r` prints it. */
  release: string
  vmlinuz: string
  /** Folder that holds `modules.dep` and, below it, each module, not compressed. */
  modules: string
  /** The modules as a read-only file system; its root is the folder above. */
  modulesImage: string
}

/**
 * Fetches the newest version of a kernel once; later calls find it in the cache.
 * @param refresh check for a newer version
 * @throws {NotAvailable} if it cannot be fetched
 */
export async function ensureKernel(name: KernelName, log: StepLog, refresh = false): Promise<Kernel> {
  const key = digest(JSON.stringify(origins[name]), layout)
  const kind = `kernel-${name}`
  const folder = await kernelCached(kind, key, (draft) =>
    measured(log, `kernel ${name} of Debian`, () => fetchKernel(origins[name], draft)),
  )
  if (!refresh) return describeKernel(name, folder)
  rmSync(folder, { recursive: true })
  return ensureKernel(name, log)
}

function describeKernel(name: KernelName, folder: string): Kernel {
  const release = readFileSync(join(folder, 'release'), 'utf8')
  return {
    name,
    release,
    vmlinuz: join(folder, 'vmlinuz'),
    modules: join(folder, 'modules', release),
    modulesImage: join(folder, 'modules.squashfs'),
  }
}

async function fetchKernel(origin: Origin, draft: string): Promise<void> {
  const scratch = subfolder(draft, 'scratch')
  await download(origin, scratch)
  const unpacked = subfolder(scratch, 'unpacked')
  for (const file of readdirSync(scratch).filter((file) => file.endsWith('.deb'))) {
    await output('dpkg-deb', ['--extract', join(scratch, file), unpacked])
  }
  await arrange(unpacked, draft)
  rmSync(scratch, { recursive: true })
}

async function download(origin: Origin, folder: string): Promise<void> {
  const apt = new Apt(subfolder(folder, 'apt'), origin.suites)
  try {
    await apt.update()
    await apt.download(await kernelPackages(apt, origin.package), folder)
  } catch (error) {
    const remedy = 'connect this machine to a mirror of Debian (VARMOR_DEBIAN_MIRROR), or run where the cache is filled'
    throw new NotAvailable(`${origin.package} of ${origin.suites[0]} cannot be had; ${remedy}\n${error}`, {
      cause: error,
    })
  }
}

/** The packages with the kernel and its modules: one package, or, since 2026, several that depend on each other. */
async function kernelPackages(apt: Apt, start: string): Promise<string[]> {
  const found = new Set<string>()
  const poll = async (name: string): Promise<void> => {
    for (const dependency of await apt.dependencies(name)) {
      if (!/^linux-(image|binary|modules|base)-\d/.test(dependency) || found.has(dependency)) continue
      found.add(dependency)
      await poll(dependency)
    }
  }
  await poll(start)
  return [...found]
}

async function arrange(unpacked: string, draft: string): Promise<void> {
  const files = (await output('find', [unpacked, '-type', 'f'])).split('\n')
  const vmlinuz = files.find((file) => /\/vmlinuz[^/]*$/.test(file))
  const order = files.find((file) => file.endsWith('/modules.builtin'))
  if (vmlinuz === undefined || order === undefined) throw new Error('the packages hold no kernel and modules')
  const [, modules, release] = /^(.*\/modules\/([^/]+))\//.exec(order)!
  renameSync(vmlinuz, join(draft, 'vmlinuz'))
  writeFileSync(join(draft, 'release'), release!)
  const target = subfolder(draft, 'modules', 'lib', 'modules')
  renameSync(modules!, join(target, release!))
  await output('find', [target, '-name', '*.ko.xz', '-exec', 'xz', '--decompress', '{}', '+'])
  await output('find', [target, '-name', '*.ko.zst', '-exec', 'zstd', '-q', '--rm', '--decompress', '{}', '+'])
  await output('depmod', ['--basedir', join(draft, 'modules'), release!])
  // Moves the modules up, because only depmod needs the parent lib/modules.
  renameSync(target, join(draft, 'flat'))
  rmSync(join(draft, 'modules'), { recursive: true })
  renameSync(join(draft, 'flat'), join(draft, 'modules'))
  await makeSquashfs(join(draft, 'modules'), join(draft, 'modules.squashfs'))
}
