import { type Print, runMocha } from '../../cluster/jobs.ts'
import { isWorthRepeating } from './qemu.ts'

/**
 * Does some work with a guest, and once more where QEMU's emulation, and not the kernel, has ended the guest. What a kernel
 * really does it does again.
 * @param again what is done once more, in words
 * @param say is given the reason
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

/** Where mocha begins to count, and what it counts. */
const summary = /^ {2}\d+ passing\b/m
const counts = /^ {2}\d+ (?:passing|pending|failing)\b.*$/gm

/** Of a failure that is the end of a guest. */
const panic = /\bkernel \S+ panicked: .*/g

/**
 * Runs mocha in a process of its own, and once more where QEMU's emulation has ended a guest under its tests and nothing else has
 * failed. What they print comes as they go; of a first attempt in vain only the counts are left out.
 * @returns whether all have passed
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
