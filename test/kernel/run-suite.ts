import { createInterface } from 'node:readline'
import { printSteps } from '../cluster/steps.ts'
import { Guest } from './guest/guest.ts'
import type { GuestProcess } from './guest/guest-process.ts'
import type { KernelName } from './guest/kernels.ts'
import { isWorthRepeating } from './guest/qemu.ts'
import type { SuiteGroup } from './suite-groups.ts'
import { type InGuestOptions, readEvent, type TestEvent } from './test-events.ts'

/** Follows the tests in a guest by what they say. */
class Progress {
  running: string | undefined
  #seen: Record<TestEvent['kind'], number> = { start: 0, pass: 0, fail: 0, pending: 0, done: 0 }

  take({ kind, title }: TestEvent): void {
    this.#seen[kind] += 1
    this.running = kind === 'start' ? title : undefined
  }

  get done(): boolean {
    return this.#seen.done > 0
  }

  /** The summary that mocha did not come to print, in its form; what ended it counts as one failure. */
  summary(why: string): string {
    const during = this.running === undefined ? '' : ` during "${this.running}"`
    const { pass, fail, pending } = this.#seen
    const counts = [`  ${pass} passing`, ...(pending > 0 ? [`  ${pending} pending`] : []), `  ${fail + 1} failing`]
    const indented = why.trimEnd().replaceAll('\n', '\n     ')
    return `\n\n${counts.join('\n')}\n\n  1) the guest ended${during}:\n     ${indented}\n`
  }
}

/** What its tests print goes to standard output, and the events among it to `progress`. */
function follow(tests: GuestProcess, progress: Progress): Promise<unknown> {
  tests.stdout.pipe(process.stdout, { end: false })
  const lines = createInterface({ input: tests.stderr })
  lines.on('line', (line) => {
    const event = readEvent(line)
    if (event === undefined) console.log(line)
    else progress.take(event)
  })
  return new Promise((resolve) => lines.once('close', resolve))
}

/** How a guest ended before its tests did. */
interface EarlyEnd {
  progress: Progress
  why: Error
}

/** @returns whether all have passed, if they came to their end */
async function runOnce(kernel: KernelName, group: SuiteGroup, grep: string | undefined): Promise<boolean | EarlyEnd> {
  const guest = await Guest.boot({ kernel, ...group.wishes, steps: printSteps })
  console.log(`\nkernel ${guest.release}${group.name === undefined ? '' : `, ${group.name}`}`)
  const progress = new Progress()
  try {
    const options: InGuestOptions = { color: process.stdout.isTTY === true, ...(grep === undefined ? {} : { grep }) }
    const files = group.files.map((file) => `/varmor/test/kernel/suite/${file.replace(/\.ts$/, '.js')}`)
    const command = ['node', '/varmor/test/kernel/in-guest.js', JSON.stringify(options), ...files]
    const tests = guest.spawn(command, { cwd: '/varmor' })
    tests.stdin.end()
    await follow(tests, progress)
    const exit = await Promise.race([tests.exited.catch((error: Error) => error), guest.ended])
    if (progress.done && exit !== undefined && 'code' in exit) return exit.code === 0
    const why = (await Promise.race([guest.ended, undefined])) ?? exit
    return { progress, why: why instanceof Error ? why : new Error(`exit status ${why?.code} before the end`) }
  } finally {
    await guest.stop()
  }
}

/**
 * Boots a guest and runs a group of tests in it. Where the emulation ended the guest it does so once more.
 * @returns whether all have passed
 * @throws {NotAvailable} if there is no such kernel here
 */
export async function runSuite(kernel: KernelName, group: SuiteGroup, grep: string | undefined): Promise<boolean> {
  let outcome = await runOnce(kernel, group, grep)
  if (typeof outcome === 'object' && isWorthRepeating(outcome.why)) {
    console.log(`\n${outcome.why.message}\nThis was QEMU's emulation; these tests are run once more`)
    outcome = await runOnce(kernel, group, grep)
  }
  if (typeof outcome === 'boolean') return outcome
  console.log(outcome.progress.summary(outcome.why.message))
  return false
}
