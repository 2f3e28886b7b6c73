/**
 * Builds native/bpf into one object, varmor.bpf.o, for whatever kernel has its types in a form that programs can be fitted to (BTF).
 * vmlinux.h is made of such types here, and never kept. Needs clang 14 and bpftool 7.1, or later.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
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

/**
 * Builds the object.
 * @param types BTF of a kernel, as /sys/kernel/btf/vmlinux has it
 * @param folder where it goes, and what is made on the way
 * @returns its path
 * @throws what a tool says
 */
export function buildBpf(types: string, folder: string): string {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'vmlinux.h'), run('bpftool', ['btf', 'dump', 'file', types, 'format', 'c']))
  const programs = readdirSync(source).filter((name) => name.endsWith('.bpf.c') && name !== maps)
  // bpftool 7.1 links references to a map wrongly that come before the map.
  const objects = [maps, ...programs].map((name) => {
    const object = join(folder, name.replace(/\.bpf\.c$/, '.o'))
    compileBpf(join(source, name), folder, object)
    return object
  })
  const linked = join(folder, 'varmor.bpf.o')
  run('bpftool', ['gen', 'object', linked, ...objects])
  return linked
}

/**
 * Compiles one file, which may include those of native/bpf. `folder` has vmlinux.h.
 * @throws what the compiler says
 */
export function compileBpf(path: string, folder: string, object: string): void {
  const target = ['-target', 'bpf', `-D__TARGET_ARCH_${process.arch === 'arm64' ? 'arm64' : 'x86'}`]
  // Version 3 of the instructions has the exchanges that scratch memory is taken by.
  const flags = ['-g', '-O2', '-mcpu=v3', ...target, ...extensions, ...warnings, `-I${folder}`, `-I${source}`]
  run('clang', [...flags, '-c', path, '-o', object])
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
  } else console.log(buildBpf(resolve(process.argv[2] ?? ownTypes), join(source, 'build')))
}
