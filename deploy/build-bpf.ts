/**
 * Builds native/bpf for whatever kernel has its types in a form that programs can be fitted to (BTF): varmor.bpf.o, and varmor-old.bpf.o
 * for kernels that lack what that one needs (native/bpf/compat.h). vmlinux.h is made of such types here, and never kept; where a machine
 * shows none, Debian's linux-bpf-dev has a vmlinux.h to give instead. Needs clang 14 and bpftool 7.1, or later. Those of another
 * architecture are made of its types, and its name is given behind them: `arm64`.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = join(dirname(dirname(fileURLToPath(import.meta.url))), 'native', 'bpf')

/** Types since Linux 6.19 have members without a name of structs that have one. */
const extensions = ['-fms-extensions', '-Wno-microsoft-anon-tag']

const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter', '-Wno-unused-function']

const maps = 'maps.bpf.c'

/** BTF of the kernel that runs. */
const ownTypes = '/sys/kernel/btf/vmlinux'

/** bpftool lies where only root looks. */
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }

const headers = '/usr/include/bpf/bpf_helpers.h'

/** Debian's packages that are needed and not there. */
export const missingForBpf = (): string[] => [
  ...['clang', 'bpftool'].filter((tool) => spawnSync(tool, ['--version'], { env }).error !== undefined),
  ...(existsSync(headers) ? [] : ['libbpf-dev']),
]

/** Names of the objects, and what they are compiled with. */
const objects = {
  'varmor.bpf.o': [],
  'varmor-old.bpf.o': ['-DVARMOR_OLD'],
}

/**
 * Builds the objects.
 * @param types BTF of a kernel, as /sys/kernel/btf/vmlinux has it, or the vmlinux.h that was made of it; Linux 6.1 or later
 * @param folder where they go, and what is made on the way
 * @param architecture that these types are of, as Node.js calls it
 * @param from where the sources lie
 * @returns the path of varmor.bpf.o; varmor-old.bpf.o lies beside it
 * @throws what a tool says
 */
export function buildBpf(types: string, folder: string, architecture: string = process.arch, from = source): string {
  mkdirSync(folder, { recursive: true })
  const header = join(folder, 'vmlinux.h')
  if (types.endsWith('.h')) copyFileSync(types, header)
  else writeFileSync(header, run('bpftool', ['btf', 'dump', 'file', types, 'format', 'c']))
  const programs = readdirSync(from).filter((name) => name.endsWith('.bpf.c') && name !== maps)
  // bpftool 7.1 links references to a map wrongly that come before the map.
  const parts = [maps, ...programs]
  const built = Object.entries(objects).map(([name, defines]) => {
    const linked = join(folder, name)
    const compiled = parts.map((part) =>
      compileBpf(join(from, part), defines, folder, linked.replace('.bpf.o', `-${part}.o`), architecture),
    )
    run('bpftool', ['gen', 'object', linked, ...compiled])
    return linked
  })
  return built[0]!
}

/**
 * Compiles one file, which may include those of native/bpf. `folder` has vmlinux.h.
 * @returns the object
 * @throws what the compiler says
 */
export function compileBpf(
  path: string,
  defines: string[],
  folder: string,
  object: string,
  architecture: string = process.arch,
): string {
  const target = ['-target', 'bpf', `-D__TARGET_ARCH_${architecture === 'arm64' ? 'arm64' : 'x86'}`]
  const flags = [...target, ...extensions, ...warnings, ...defines, `-I${folder}`, `-I${source}`]
  // Version 3 of the instructions has the exchanges that scratch memory is taken by.
  run('clang', ['-g', '-O2', '-mcpu=v3', ...flags, '-c', path, '-o', object])
  return object
}

/** What a tool of those prints. @throws what it says when it fails */
export function run(program: string, args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26, env })
  if (status !== 0) throw new Error(`${program}: ${error?.message ?? stderr}`)
  return stdout
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const missing = missingForBpf()
  if (missing.length > 0) {
    console.error(`BPF programs not built: they need ${missing.join(' and ')} (apt-get install ${missing.join(' ')})`)
    process.exitCode = 1
  } else {
    const [, , types = ownTypes, architecture = process.arch] = process.argv
    const folder = architecture === process.arch ? 'build' : join('build', architecture)
    console.log(buildBpf(resolve(types), join(source, folder), architecture))
  }
}
