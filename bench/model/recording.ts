/**
 * Measures the cost of recording for a workload: operations per second in a guest, with and without recording, by
 * enforcer.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Option } from 'commander'
import { Guest } from '../../test/kernel/guest/guest.ts'
import type { KernelName } from '../../test/kernel/guest/kernels.ts'
import { missingForGuest } from '../../test/kernel/guest/requirements.ts'
import { countOption, progress, readOptions } from '../bench.ts'

const ways = ['AppArmor', 'BPF', 'Seccomp', 'AppArmorBPFSeccomp'] as const
const { kernel, seconds, rounds, only } = readOptions<
  { kernel: KernelName; seconds: number; rounds: number },
  (typeof ways)[number]
>({
  command: 'npm run bench:recording --',
  about: `measure how often per second a workload opens a file, creates and opens 4,000 other files, runs a program, connects a socket, and calls
the kernel: without recording, and with a recording of all operations by an agent's pipeline on the same two processors`,
  kinds: ways,
  options: [
    new Option('--kernel <name>', 'kernel of the guest').choices(['6.1', '6.12', 'sid']).default('6.12'),
    countOption('--seconds <count>', 'seconds of each operation', 2),
    countOption('--rounds <count>', 'rounds of all operations; the median is printed', 3),
  ],
})

const missing = missingForGuest()
if (missing.length > 0) throw new Error(`needs ${missing.map(({ what }) => what).join(', ')}; run .ci/setup`)

interface Run {
  way: string
  done: Record<string, number>
  records: number
  lost: number
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

const folder = mkdtempSync(join(tmpdir(), 'varmor-bench-'))
try {
  const program = join(folder, 'work')
  const flags = ['-D_GNU_SOURCE', '-std=gnu11', '-O1', '-Wall', '-Wextra', '-Werror', '-static']
  execFileSync('gcc', [...flags, '-o', program, join(import.meta.dirname, 'work.c')])
  const guest = await Guest.boot({ kernel, processors: 2, memoryMiB: 4_096 })
  progress(`Linux ${guest.release} has booted`)
  const store = 'mkdir -p /tmp/work; cat > /tmp/work/work; chmod +x /tmp/work/work'
  await guest.run(['sh', '-ec', store], { input: readFileSync(program) })
  const script = '/varmor/test/kernel/suite/modelling/recording-costs.js'
  const command = ['node', script, '/tmp/work/work', String(seconds), String(rounds), ...only]
  const { code, stdout, stderr } = await guest.run(command, { cwd: '/varmor' })
  process.stderr.write(stderr)
  if (code !== 0) throw new Error(stdout + stderr)
  print(JSON.parse(stdout.trim().split('\n').at(-1)!) as Run[])
  await guest.stop()
} finally {
  rmSync(folder, { recursive: true })
}

/** Prints the operations per second. The brackets contain the ratio to the rate without recording. */
function print(runs: readonly Run[]): void {
  const of = (way: string): Run[] => runs.filter((run) => run.way === way)
  const often = (way: string, what: string): number => median(of(way).map(({ done }) => done[what]!))
  const rows = [...new Set(runs.map(({ way }) => way))].map((way) => {
    const cells = Object.keys(runs[0]!.done).map((what) => {
      const share = often(way, what) / often('', what)
      return [what, way === '' ? String(often(way, what)) : `${often(way, what)} (${share.toFixed(2)})`]
    })
    const counts = {
      records: median(of(way).map(({ records }) => records)),
      lost: median(of(way).map(({ lost }) => lost)),
    }
    return [way === '' ? 'not recorded' : way, { ...Object.fromEntries(cells), ...counts }]
  })
  console.table(Object.fromEntries(rows))
}
