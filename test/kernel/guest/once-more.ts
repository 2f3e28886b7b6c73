import { type Print, runMocha } from '../../cluster/jobs.ts'
import { isWorthRepeating } from './qemu.ts'

/**
 * Runs work with a guest, and retries once if QEMU's emulation, not the kernel, ended the guest. A real fault of the
 * kernel happens again.
 * @param again name of the work that is repeated
 * @param say receives the reason
 */
export async function onceMoreAfterEmulation<T>(
  again: string,
  work: () => Promise<T>,
  say: (text: string) => void = console.warn,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isWorthRepeating(error)) throw error
    say(`${error.message}\nThis was QEMU's emulation; ${again} once more`)
    return work()
  }
}

/** The first line of mocha's summary, and each of its counts. */
const summary = /^ {2}\d+ passing\b/m
const counts = /^ {2}\d+ (?:passing|pending|failing)\b.*$/gm

/** Marks a failure that the guest's end caused. */
const panic = /\bkernel \S+ panicked: .*/g

/**
 * Runs mocha in a separate process. If QEMU's emulation ended a guest and no other test failed, runs mocha a second
 * time. Output appears at once; only the counts of a failed first attempt are left out.
 * @returns whether all tests passed
 */
export async function runMochaWithGuests(args: readonly string[], print: Print, env = process.env): Promise<boolean> {
  let counted = ''
  const attempt = async (): Promise<boolean> => {
    counted = ''
    return runMocha(
      ['--no-color', ...args],
      (text) => {
        const at = counted === '' ? text.search(summary) : 0
        if (at < 0) return print(text)
        print(text.slice(0, at))
        counted += text.slice(at)
      },
      env,
    )
  }
  try {
    const passed = await attempt()
    const panics = counted.match(panic) ?? []
    const failures = Number(/^ {2}(\d+) failing\b/m.exec(counted)?.[1])
    if (passed || panics.length !== failures || !panics.every((one) => isWorthRepeating(new Error(one)))) return passed
    print(counted.replace(counts, ''))
    print("\nThis was QEMU's emulation; these tests are run once more\n")
    return await attempt()
  } finally {
    print(counted)
  }
}
