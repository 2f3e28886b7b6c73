import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { GuestOptions } from './guest/guest.ts'

/** What the tests of one folder ask of their guest, in its `guest.json`. */
export type GuestWishes = Pick<GuestOptions, 'memoryMiB' | 'processors' | 'commandLine' | 'images'>

/** Test files that run in one guest. */
export interface SuiteGroup {
  /** The folder's name; undefined for those that ask for nothing. */
  name: string | undefined
  wishes: GuestWishes
  /** Paths below the folder of tests, with `/`. */
  files: string[]
}

/**
 * The test files below `folder`. Those of a folder right below it that has a `guest.json` get a guest of their own, booted
 * as that says; all others share one.
 */
export function suiteGroups(folder: string): SuiteGroup[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'))
  const groups = new Map<string, SuiteGroup>()
  for (const file of files.sort()) {
    const [top] = dirname(file).split('/') as [string]
    const wishes = join(folder, top, 'guest.json')
    const own = top !== '.' && existsSync(wishes)
    const group = groups.get(own ? top : '') ?? {
      name: own ? top : undefined,
      wishes: own ? (JSON.parse(readFileSync(wishes, 'utf8')) as GuestWishes) : {},
      files: [],
    }
    groups.set(own ? top : '', group)
    group.files.push(file)
  }
  return [...groups.values()]
}
