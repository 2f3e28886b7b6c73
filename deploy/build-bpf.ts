/**
 * Builds native/bpf for any kernel with BTF, because the programs adapt to the kernel's types. Writes varmor.bpf.o and,
 * for kernels without the newer features (native/bpf/compat.h), varmor-old.bpf.o. The build generates vmlinux.h from
 * BTF. On a machine without BTF, pass the vmlinux.h of Debian's linux-bpf-dev. Needs clang 14 and bpftool 7.1, or later
 * versions. For another architecture, pass a vmlinux.h of that architecture and then its name, such as `arm64`.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = join(dirname(dirname(fileURLToPath(import.meta.url))), 'native', 'bpf')

/** Since Linux 6.19, kernel types have unnamed members of named structs, which clang accepts only with this option. */
const extensions = ['-fms-extensions', '-Wno-microsoft-anon-tag']

const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter', '-Wno-unused-function']

const maps = 'maps.bpf.c'

/** BTF of the running kernel. */
const ownTypes = '/sys/kernel/btf/vmlinux'

/** bpftool is in /usr/sbin, which only root has in its PATH. */
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }

const headers = '/usr/include/bpf/bpf_helpers.h'

/** Required Debian packages that are not installed. */
export const missingForBpf = (): string[] => [
  ...['clang', 'bpftool'].filter((tool) => spawnSync(tool, ['--version'], { env }).error !== undefined),
  ...(existsSync(headers) ? [] : ['libbpf-dev']),
]

/** Names of the objects, and their compile options. */
const objects = {
  'varmor.bpf.o': [],
  'varmor-old.bpf.o': ['-DVARMOR_OLD'],
}

/**
 * Builds the objects.
 * @param types BTF of a kernel, as in /sys/kernel/btf/vmlinux, or a vmlinux.h made from it; Linux 6.1 or later
 * @param folder for the output and intermediate files
 * @param architecture the architecture of these types, as Node.js names it
 * @param from folder of the sources
 * @returns the path of varmor.bpf.o; varmor-old.bpf.o is beside it
 * @throws the error of a tool
 */
export function buildBpf(types: string, folder: string, architecture: string = process.arch, from = source): string {
  mkdirSync(folder, { recursive: true })
  const header = join(folder, 'vmlinux.h')
  if (types.endsWith('.h')) copyFileSync(types, header)
  else writeFileSync(header, run('bpftool', ['btf', 'dump', 'file', types, 'format', 'c']))
  const programs = readdirSync(from).filter((name) => name.endsWith('.bpf.c') && name !== maps)
  // bpftool 7.1 links references to a map wrongly if they precede the map.
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
 * Compiles one file, which may include files of native/bpf and `folder`/vmlinux.h.
 * @returns the object
 * @throws the compiler's error
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
  // Programs take scratch memory by atomic exchange, which needs version 3 of the BPF instructions.
  run('clang', ['-g', '-O2', '-mcpu=v3', ...flags, '-c', path, '-o', object])
  return object
}

/** The output of a tool. @throws its error text when it fails */
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
