import { spawnSync } from 'node:child_process'
import { release } from 'node:os'

/** Version of the guest's kernel, such as `6.12`. */
export const linuxVersion = (): string => release().split('.').slice(0, 2).join('.')

/** Whether the kernel of the guest is that new: `linuxFrom(6, 7)`. */
export function linuxFrom(major: number, minor: number): boolean {
  const [ours = 0, theirs = 0] = release().split('.').map(Number)
  return ours > major || (ours === major && theirs >= minor)
}

/** Why something cannot be tried, if the kernel has no such module. */
export const needs = (module: string): string | undefined =>
  spawnSync('modprobe', [module]).status === 0 ? undefined : `this kernel has no ${module}`
