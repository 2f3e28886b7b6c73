/**
 * Measures the cost of the BPF programs in kernel instructions, in a guest whose CPU counts instructions. The figures
 * are the same in each run, whatever else this machine does.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Option } from 'commander'
import { buildBpf, compileBpf, missingForBpf } from '../../deploy/build-bpf.ts'
import { profileBytes } from '../../test/kernel/bpf/profile-bytes.ts'
import { unpackKernel } from '../../test/kernel/guest/bpf-object.ts'
import { Guest } from '../../test/kernel/guest/guest.ts'
import { ensureKernel, type KernelName } from '../../test/kernel/guest/kernels.ts'
import { missingForGuest } from '../../test/kernel/guest/requirements.ts'
import { countOption, progress, readOptions } from '../bench.ts'
import { linearBytes, opened, policyOf, ran } from './rules.ts'

const counts = [0, 1, 64, 1_000, 10_000]
const nothing = 'programs that do nothing'
const operations = ['open', 'exec', 'connect'] as const
type Figures = Record<(typeof operations)[number], number>

const { kernel, rounds, beside, mounts } = readOptions<{
  kernel: KernelName
  rounds: number
  beside?: string
  mounts: number
}>({
  command: 'npm run bench:bpf --',
  about: `count the instructions of open(2), exec and connect(2) in these situations: without BPF programs; outside of containers; in a
container whose profile has ${counts.join(', ')} rules; and with a program that tries the same rules one by one.
The opened path has five names, and is on a tmpfs.`,
  options: [
    new Option('--kernel <name>', 'kernel of the guest').choices(['6.1', '6.12', 'sid']).default('6.12'),
    countOption('--rounds <count>', 'rounds of each operation; the median is printed', 501),
    new Option('--mounts <count>', "additional mounts of the file's file system in another mount namespace")
      .argParser(Number)
      .default(0),
    new Option('--beside <object>', 'object file of another build of the BPF programs, which is also measured'),
  ],
})

const missing = [...missingForBpf(), ...missingForGuest().map(({ what }) => what)]
if (missing.length > 0) throw new Error(`needs ${missing.join(', ')}; run .ci/setup`)

const project = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'varmor-bench-'))
try {
  await measureAll()
} finally {
  rmSync(folder, { recursive: true })
}

function compileC(source: string, ...more: string[]): string {
  const program = join(folder, source.replace(/^.*\/(.*)\.c$/, '$1'))
  const flags = [
    '-D_GNU_SOURCE',
    '-std=gnu11',
    '-O1',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-static',
    '-Inative/bpf',
    '-Itest/kernel/bpf',
  ]
  execFileSync('gcc', [...flags, '-o', program, source, ...more], { cwd: project })
  return program
}

/** Files for the guest's /tmp. The objects fit all kernels. */
async function makeFiles(): Promise<string[]> {
  const types = join(folder, 'types')
  writeFileSync(types, unpackKernel(readFileSync((await ensureKernel('6.12', () => undefined)).vmlinuz)))
  const objects = [buildBpf(types, folder)]
  for (const name of ['linear', 'empty']) {
    const source = join(import.meta.dirname, `${name}.bpf.c`)
    objects.push(compileBpf(source, [], folder, join(folder, `${name}.o`)))
  }
  if (beside !== undefined) {
    objects.push(join(folder, 'beside.o'))
    writeFileSync(join(folder, 'beside.o'), readFileSync(beside))
  }
  const profiles = counts.flatMap((count) => [
    [`rules-${count}`, profileBytes(policyOf(count))] as const,
    [`linear-${count}`, linearBytes(count)] as const,
  ])
  for (const [name, bytes] of profiles) writeFileSync(join(folder, name), bytes)
  return [
    ...objects,
    ...profiles.map(([name]) => join(folder, name)),
    compileC('bench/bpf/operations.c'),
    compileC('bench/bpf/exit.c', '-nostdlib', '-ffreestanding'),
    compileC('bench/bpf/attached.c', '-lbpf', '-lelf', '-lz'),
  ]
}

async function bootWith(paths: readonly string[]): Promise<Guest> {
  const guest = await Guest.boot({ kernel, countInstructions: true })
  for (const path of paths) {
    const target = `/tmp/${path.split('/').at(-1)}`
    await guest.run(['sh', '-c', `cat > ${target}; chmod +x ${target}`], { input: readFileSync(path) })
  }
  const below = opened.slice(0, opened.lastIndexOf('/'))
  const prepare = `mkdir /bench; mount -t tmpfs none /bench; mkdir -p ${below}; echo x > ${opened}; cp /tmp/exit ${ran}`
  await guest.run(['sh', '-ec', prepare])
  const mountAll = `for i in $(seq ${mounts}); do mount --bind /bench /mnt; done; echo > /tmp/mounted; sleep 1000000`
  const elsewhere = `unshare -m sh -ec '${mountAll}' > /dev/null 2>&1 & while [ ! -e /tmp/mounted ]; do sleep 1; done`
  await guest.run(['sh', '-ec', elsewhere])
  return guest
}

function rulesOf(count: number): string {
  return count === 1 ? '1 rule' : `${count} rules`
}

/** The situations to measure, in order, each with its profile. The programs are loaded only once for all situations. */
function runs(profile: string): [what: string, profile: string][] {
  const ofCounts = counts.map((count): [string, string] => [rulesOf(count), `/tmp/${profile}-${count}`])
  return [['not in a container', 'none'], ...ofCounts]
}

async function measureAll(): Promise<void> {
  const guest = await bootWith(await makeFiles())
  progress(`Linux ${guest.release} has booted`)
  const perform = ['/tmp/operations', opened, ran, String(rounds)]
  const rows = new Map<string, Figures>()
  const measure = async (names: readonly string[], command: readonly string[]): Promise<void> => {
    const { code, stdout, stderr } = await guest.run(command)
    const took = [...stdout.matchAll(/^took \w+ (\d+)$/gm)].map(([, ticks]) => Number(ticks))
    if (code !== 0 || took.length !== names.length * operations.length) throw new Error(stdout + stderr)
    for (const [i, name] of names.entries()) {
      const of = operations.map((operation, j) => [operation, took[i * operations.length + j]])
      rows.set(name, Object.fromEntries(of))
    }
    progress(`${names.join(', ')}: measured`)
  }
  const underAll = (object: string, profile: string, end: string) => {
    const groups = runs(profile).flatMap(([, path], i) => [...(i === 0 ? [] : [',']), path, ...perform])
    const names = runs(profile).map(([what]) => what + end)
    return measure(names, ['/tmp/attached', `/tmp/${object}`, ...groups])
  }
  await measure(['no programs'], perform)
  await measure([nothing], ['/tmp/attached', '/tmp/empty.o', 'none', ...perform])
  await underAll('varmor.bpf.o', 'rules', '')
  if (beside !== undefined) await underAll('beside.o', 'rules', `, ${beside.replace(/^.*\//, '')}`)
  await underAll('linear.o', 'linear', ', one by one')
  await guest.stop()
  print(rows)
}

/**
 * Prints the instructions of each operation. The brackets contain the instructions that the programs add, and the ratio
 * to a run without programs.
 */
function print(rows: ReadonlyMap<string, Figures>): void {
  const none = rows.get('no programs')!
  const table = [...rows].map(([what, figures]) => {
    const cells = operations.map((operation) => {
      const ticks = figures[operation]
      const more = ticks - none[operation]
      return [operation, `${ticks} (${more < 0 ? '' : '+'}${more}, ${(ticks / none[operation]).toFixed(2)})`]
    })
    return [what, Object.fromEntries(cells)]
  })
  console.table(Object.fromEntries(table))
  const added = (what: string): number => rows.get(what)!.open - none.open
  const withRules = counts.filter((count) => count > 0).map((count) => added(rulesOf(count)))
  const spread = (100 * (Math.max(...withRules) / Math.min(...withRules) - 1)).toFixed(1)
  console.log(`instructions that the BPF programs add to an open:
outside of containers: ${added('not in a container')}; of these, the kernel's call of any program takes ${added(nothing)}
in a container with 1 to ${counts.at(-1)} rules: at most ${Math.max(...withRules)}, which is ${spread} % above the minimum`)
}
