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
