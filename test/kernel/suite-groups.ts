import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { GuestOptions } from './guest/guest.ts'

/** What the tests of one folder ask of their guest, in its `guest.json`. */
export type GuestWishes = Pick<GuestOptions, 'memoryMiB' | 'processors' | 'commandLine' | 'images'>

/** What stands in a `guest.json`. */
interface GuestFile extends GuestWishes {
  /** Runs after the others: it is what is left out where time is short. */
  late?: boolean
}

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
 * as that says; all others share one. In the order in which they are to run.
 */
export function suiteGroups(folder: string): SuiteGroup[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'))
  const groups = new Map<string, SuiteGroup>()
  const lateOnes = new Set<SuiteGroup>()
  for (const file of files.sort()) {
    const [top] = dirname(file).split('/') as [string]
    const wishes = join(folder, top, 'guest.json')
    const own = top !== '.' && existsSync(wishes)
    const { late = false, ...asked } = own ? (JSON.parse(readFileSync(wishes, 'utf8')) as GuestFile) : {}
    const group = groups.get(own ? top : '') ?? { name: own ? top : undefined, wishes: asked, files: [] }
    groups.set(own ? top : '', group)
    group.files.push(file)
    if (late) lateOnes.add(group)
  }
  const all = [...groups.values()]
  return [...all.filter((group) => !lateOnes.has(group)), ...lateOnes]
}
