import { createReadStream, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { makeOciArchive, pack } from '../../cluster/binaries/oci-archive.ts'
import { output } from '../../cluster/command.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { debianKeyring, mirror } from '../guest/apt.ts'
import { digest, kernelCached, subfolder } from '../guest/cache.ts'
import { NotAvailable } from '../guest/not-available.ts'
import { findProgram } from '../guest/root-files.ts'
import { makeSquashfs, squashTar } from '../guest/squashfs.ts'
import { debianImage, servicesImage } from './names.ts'

const suite = 'bookworm'
/** Debian stable, on which the product's image is based too. */
const stable = 'trixie'
/** Packages besides Debian's essential ones: bash, coreutils, util-linux (unshare, nsenter, setpriv) and similar. */
const packages = ['python3', 'procps', 'iproute2', 'libcap2-bin', 'auditd', 'mount']
/** Debian's servers and their clients; caddy is a Go program. */
const servers = ['nginx-light', 'redis-server', 'redis-tools', 'postgresql-15', 'nodejs', 'caddy', 'curl']
/** Large files that none of these servers needs: query compilers, and files that only compilers and installers use. */
const unused = [
  '/usr/lib/llvm*',
  '/usr/lib/x86_64-linux-gnu/libLLVM*',
  '/usr/lib/x86_64-linux-gnu/libz3.so*',
  '/usr/lib/postgresql/15/lib/bitcode/*',
  '/usr/lib/postgresql/15/lib/llvmjit*',
  '/usr/share/icu/*',
  '/usr/share/nodejs/corepack/*',
]
const documentation = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*']

/** Packages of a machine with Docker, without recommended packages. */
const machinePackages = [
  'systemd',
  'apt',
  'docker.io',
  'docker-cli',
  'apparmor',
  'libbpf1',
  'libstdc++6',
  'procps',
  'util-linux',
]

/** Packages of Debian. */
interface DebianRoot {
  /** Name in the cache. */
  kind: string
  suite: string
  /** Shell commands that run at the end of the build. */
  hooks?: readonly string[]
  packages: readonly string[]
  without: readonly string[]
}
/** A Debian image for containers. */
interface DebianImage extends DebianRoot {
  name: string
}
const debian: DebianImage = {
  name: debianImage,
  kind: 'debian',
  suite,
  packages,
  without: documentation,
}
const services: DebianImage = {
  name: servicesImage,
  kind: 'services',
  suite,
  packages: [...packages, ...servers],
  without: [...documentation, ...unused],
}
const machine: DebianRoot = {
  kind: 'machine',
  suite: stable,
  packages: machinePackages,
  // Under emulation, Debian's profiles for its own programs take minutes to compile.
  without: [...documentation, '/etc/apparmor.d/[a-zA-Z]*'],
  // Keeps the documents of packages that are installed later.
  hooks: ['rm "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap'],
}
const probes = join(import.meta.dirname, 'probes')
const flags = ['-std=gnu11', '-O1', '-static', '-pthread', '-Wall', '-Wextra', '-D_GNU_SOURCE']

/** Debian's files as a tar archive, without documentation and translations. */
async function ensureBase({ kind, suite, packages, without, hooks = [] }: DebianRoot, log: StepLog): Promise<string> {
  const folder = await kernelCached(kind, digest('layout 2', suite, ...packages, ...without, ...hooks), (draft) =>
    measured(log, `root of Debian ${suite} (${kind})`, async () => {
      if (findProgram('mmdebstrap') === undefined) {
        throw new NotAvailable('the Debian image needs mmdebstrap; run .ci/setup, or: apt-get install mmdebstrap')
      }
      const drop = without.map((path) => `--dpkgopt=path-exclude=${path}`)
      const options = ['--quiet', '--variant=essential', `--include=${packages.join(',')}`, ...drop]
      const clean = [
        '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/*',
        '--customize-hook=find "$1"/var/log -type f -delete',
        ...hooks.map((hook) => `--customize-hook=${hook}`),
      ]
      const source = `deb [signed-by=${debianKeyring}] ${mirror()}/debian ${suite} main`
      const env = { ...process.env, SOURCE_DATE_EPOCH: '0' }
      const command = ['-n', '15', 'mmdebstrap', ...options, ...clean, suite, join(draft, 'base.tar'), source]
      await output('nice', command, { env }).catch((error: Error) => {
        const remedy = 'connect this machine to a mirror of Debian (VARMOR_DEBIAN_MIRROR)'
        throw new NotAvailable(`Debian ${suite} cannot be had; ${remedy}\n${error.message}`, { cause: error })
      })
    }),
  )
  return join(folder, 'base.tar')
}

/** A disk with an archive of the Debian image: its packages, and each probe of probes/ as /probes/NAME. */
export const ensureDebianArchive = (log: StepLog): Promise<string> => ensureArchive(debian, log)

/** A disk with an archive of the Debian image that also contains servers. */
export const ensureServicesArchive = (log: StepLog): Promise<string> => ensureArchive(services, log)

/**
 * A Debian with systemd, Docker and apt, as an overlay on the guest's root: a node without Kubernetes.
 * @returns the image of the overlay
 */
export async function ensureMachineLayer(log: StepLog): Promise<string> {
  const base = await ensureBase(machine, log)
  const folder = await kernelCached('layer', digest('layout 1', base), (draft) =>
    measured(log, 'layer of Debian with systemd', () =>
      squashTar(createReadStream(base), join(draft, 'layer.squashfs')),
    ),
  )
  return join(folder, 'layer.squashfs')
}

async function ensureArchive(of: DebianImage, log: StepLog): Promise<string> {
  const base = await ensureBase(of, log)
  const sources = existsSync(probes) ? readdirSync(probes).filter((name) => name.endsWith('.c')) : []
  const texts = sources.map((name) => readFileSync(join(probes, name)))
  const key = digest('layout 2', base, ...flags, ...sources, ...texts)
  const folder = await kernelCached('probes', key, (draft) =>
    measured(log, `image of Debian with the probes (${of.kind})`, async () => {
      const root = subfolder(draft, 'root')
      subfolder(root, 'probes')
      for (const name of sources) {
        await output('gcc', [...flags, '-o', join(root, 'probes', basename(name, '.c')), join(probes, name)])
      }
      await pack(root, join(draft, 'probes.tar'))
      const archives = subfolder(draft, 'archives')
      const image = { name: of.name, layers: [base, join(draft, 'probes.tar')], command: ['/bin/bash'] }
      await makeOciArchive([image], join(archives, `${of.kind}.tar`))
      await makeSquashfs(archives, join(draft, 'archives.squashfs'))
      for (const done of [root, join(draft, 'probes.tar'), archives]) rmSync(done, { recursive: true })
    }),
  )
  return join(folder, 'archives.squashfs')
}
