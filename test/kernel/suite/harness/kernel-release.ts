import { spawnSync } from 'node:child_process'
import { release } from 'node:os'

/** Version of the guest's kernel, such as `6.12`. */
export const linuxVersion = (): string => release().split('.').slice(0, 2).join('.')

/** Tells whether the guest's kernel is at least this version: `linuxFrom(6, 7)`. */
export function linuxFrom(major: number, minor: number): boolean {
  const [ours = 0, theirs = 0] = release().split('.').map(Number)
  return ours > major || (ours === major && theirs >= minor)
}

/** The reason to skip a test if the kernel does not have this module. */
export const needs = (module: string): string | undefined =>
  spawnSync('modprobe', [module]).status === 0 ? undefined : `this kernel has no ${module}`
