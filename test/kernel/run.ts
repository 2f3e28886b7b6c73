/**
 * The kernel tier: boots a guest for each kernel and runs the tests of suite/ inside it, as root. Mocha's own output comes
 * as it is written. What cannot be had here is skipped by name.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { explain } from '../cluster/requirements.ts'
import { measured, printSteps } from '../cluster/steps.ts'
import { defaultKernels, ensureKernel, type KernelName, kernelNames, kernelsVariable } from './guest/kernels.ts'
import { NotAvailable } from './guest/not-available.ts'
import { missingForGuest } from './guest/requirements.ts'
import { runSuite } from './run-suite.ts'
import { type SuiteGroup, suiteGroups } from './suite-groups.ts'

interface Given {
  kernel: KernelName[] | ['all']
  grep?: string
  refresh?: true
  within?: number
}

const root = join(import.meta.dirname, '..', '..')

/** In the form that mocha has, so that who counts its summaries counts this. */
function skip(what: string): boolean {
  console.log(`\n  - ${what}\n\n  0 passing\n  1 pending\n`)
  return true
}

/** The tests of the guest itself, and of guests as nodes, which run on this machine. */
async function hostTests(kernels: readonly KernelName[], given: Given): Promise<boolean> {
  console.log('\nguests, seen from the host')
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js')
  const files = ['test/kernel/*.test.ts', 'test/kernel/guest/**/*.test.ts', 'test/kernel/end-to-end/*.test.ts']
  const flags = ['--no-config', '--exit', '--timeout', '300000', '--slow', '30000', '--reporter', 'spec']
  const grep = given.grep === undefined ? [] : ['--grep', given.grep]
  const args = ['--import', 'tsx', mocha, ...flags, ...grep, ...files]
  const env = { ...process.env, [kernelsVariable]: kernels.join(',') }
  const [status] = await once(spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env }), 'close')
  return status === 0
}

async function groupTests(kernel: KernelName, group: SuiteGroup, given: Given): Promise<boolean> {
  const name = `kernel ${kernel}${group.name === undefined ? '' : `, ${group.name}`}`
  if (performance.now() > (given.within ?? Number.POSITIVE_INFINITY) * 60_000)
    return skip(`${name} skipped: the time of this run is up (--within)`)
  try {
    return await measured(printSteps, name, () => runSuite(kernel, group, given.grep))
  } catch (error) {
    if (!(error instanceof NotAvailable)) throw error
    return skip(`${name} skipped: ${error.message}`)
  }
}

/** Looks for a newer version; where there is none to be had, the one that is there is tested. */
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
  if (missing.length > 0) return skip(explain('real kernels', missing))
  const kernels = given.kernel[0] === 'all' ? kernelNames : (given.kernel as KernelName[])
  const groups = suiteGroups(join(import.meta.dirname, 'suite'))
  for (const kernel of given.refresh ? kernels : []) await refresh(kernel)
  let passed = await hostTests(kernels, given)
  // Each group on every kernel before the next: when time is up, all kernels have had the same.
  for (const group of groups) for (const kernel of kernels) passed = (await groupTests(kernel, group, given)) && passed
  return passed
}

/** Minutes. */
function readMinutes(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('It must be a whole number of minutes.')
  return Number(text)
}

const program = new Command('test:kernel')
  .addOption(
    new Option('--kernel <kernel...>', 'Debian kernels to test on')
      .choices([...kernelNames, 'all'])
      .default(defaultKernels),
  )
  .option('--grep <text>', 'only tests whose title matches')
  .option('--refresh', 'fetch the newest version of the kernels first')
  .option(
    '--within <minutes>',
    'start no group of tests later than that, and name those that were left out',
    readMinutes,
  )
  .action(async (given: Given) => {
    process.exitCode = (await run(given)) ? 0 : 1
  })
await program.parseAsync()
