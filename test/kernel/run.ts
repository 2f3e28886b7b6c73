/**
 * The kernel tier: boots a guest for each kernel and group of tests, and runs the tests of suite/ in it as root.
 * It skips by name every test that needs a part this machine lacks.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type Job, type Print, sideBySide, skip } from '../cluster/jobs.ts'
import { explain } from '../cluster/requirements.ts'
import { printSteps } from '../cluster/steps.ts'
import { defaultKernels, ensureKernel, type KernelName, kernelNames, kernelsVariable } from './guest/kernels.ts'
import { NotAvailable } from './guest/not-available.ts'
import { runMochaWithGuests } from './guest/once-more.ts'
import { kvmIsUsable } from './guest/qemu.ts'
import { missingForGuest } from './guest/requirements.ts'
import { runSuite } from './run-suite.ts'
import { type SuiteGroup, smokeGroup, suiteGroups } from './suite-groups.ts'

interface Given {
  kernel: KernelName[] | ['all']
  smoke: KernelName[]
  guests: number
  group?: string[]
  grep?: string
  refresh?: true
}

/** Tests that run on this machine: tests of guests, and tests with guests as nodes of a real Kubernetes. */
function hostJobs(kernels: readonly KernelName[], given: Given): Job[] {
  const flags = ['--no-config', '--exit', '--timeout', '1200000', '--slow', '30000', '--reporter', 'spec']
  const grep = given.grep === undefined ? [] : ['--grep', given.grep]
  const env = { ...process.env, [kernelsVariable]: kernels.join(',') }
  const job = (name: string, processors: number, seconds: number, ...files: string[]): Job => ({
    name,
    seconds,
    places: placesOf(processors),
    run: (print) => runMochaWithGuests([...flags, ...grep, ...files], print, env),
  })
  return [
    job('guests, seen from the host', 2, 90, 'test/kernel/*.test.ts', 'test/kernel/guest/**/*.test.ts'),
    job('BPF programs', 1, 150 * kernels.length, 'test/kernel/bpf/*.test.ts'),
    job('nodes of a real Kubernetes', 2, 120 * kernels.length, 'test/kernel/end-to-end/user-journey.test.ts'),
    job('an installation on a node that enforces', 2, 440 * kernels.length, 'test/kernel/end-to-end/installed.test.ts'),
    job('a node without Kubernetes', 2, 160 * kernels.length, 'test/kernel/end-to-end/standalone.test.ts'),
    job('the Debian package', 2, 150 * kernels.length, 'test/kernel/end-to-end/package.test.ts'),
  ]
}

function groupJob(kernel: KernelName, group: SuiteGroup, { grep }: Given): Job {
  const name = `kernel ${kernel}, ${group.name}`
  const run = async (print: Print): Promise<boolean> => {
    try {
      return await runSuite({ kernel, group, grep, print })
    } catch (error) {
      if (!(error instanceof NotAvailable)) throw error
      return skip(`${name} skipped: ${error.message}`, print)
    }
  }
  return { name, seconds: group.seconds, places: placesOf(group.wishes.processors), run }
}

/** Looks for a newer version of the kernel; without one, tests use the cached version. */
async function refresh(kernel: KernelName): Promise<void> {
  try {
    await ensureKernel(kernel, printSteps, true)
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error
    console.warn(error.message)
  }
}

async function run(given: Given): Promise<boolean> {
  const missing = missingForGuest()
  if (missing.length > 0) return skip(explain('real kernels', missing), console.log)
  const kernels = given.kernel[0] === 'all' ? kernelNames : (given.kernel as KernelName[])
  const smoked = given.smoke.filter((kernel) => !kernels.includes(kernel))
  const groups = suiteGroups(join(import.meta.dirname, 'suite'))
  const wanted = groups.filter(({ name }) => given.group?.includes(name) ?? true)
  for (const kernel of given.refresh ? [...kernels, ...smoked] : []) await refresh(kernel)
  const jobs = [
    ...(given.group === undefined ? hostJobs(kernels, given) : []),
    ...kernels.flatMap((kernel) => wanted.map((group) => groupJob(kernel, group, given))),
    ...smoked.map((kernel) => groupJob(kernel, smokeGroup(groups), given)),
  ]
  return sideBySide(jobs, given.guests)
}

/**
 * How many places a guest takes. On a machine with few CPUs, an emulated guest with two CPUs takes two places; beside
 * another guest it would be so slow that Kubernetes and containerd reach their timeouts.
 */
const placesOf = (processors = 1): number => (kvmIsUsable() || availableParallelism() >= 4 ? 1 : processors)

function readCount(text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new InvalidArgumentError('It must be a whole number, not 0.')
  return Number(text)
}

const program = new Command('test:kernel')
  .addOption(
    new Option('--kernel <kernel...>', 'Debian kernels to test on')
      .choices([...kernelNames, 'all'])
      .default(defaultKernels),
  )
  .addOption(
    new Option('--smoke <kernel...>', 'kernels on which a few tests show that guests work at all')
      .choices(kernelNames)
      .default([]),
  )
  .option(
    '--guests <count>',
    'at a time; with one, tests print as they go',
    readCount,
    Math.min(2, availableParallelism()),
  )
  .option('--group <name...>', 'only these folders of suite/, or common')
  .option('--grep <text>', 'only tests whose title matches')
  .option('--refresh', 'fetch the newest version of the kernels first')
  .action(async (given: Given) => {
    process.exitCode = (await run(given)) ? 0 : 1
  })
await program.parseAsync()
