import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { GuestOptions } from './guest/guest.ts'

/** Requirements of a test folder for its guest, from its `guest.json`. */
export type GuestWishes = Pick<GuestOptions, 'memoryMiB' | 'processors' | 'commandLine' | 'images'>

/** The content of a `guest.json`. */
interface GuestFile extends GuestWishes {
  seconds?: number
}

/** Test files that run in one guest. */
export interface SuiteGroup {
  /** The folder's name. */
  name: string
  wishes: GuestWishes
  /** Approximate duration in seconds, so that long groups start first. */
  seconds: number
  /** Paths below the folder of tests, with `/`. */
  files: string[]
}

/** The group of files without requirements. */
export const common = { name: 'common', wishes: {}, seconds: 230 }

/**
 * The test files below `folder`. Each direct subfolder with a `guest.json` gets its own guest, booted as that file
 * says; all other files share one guest.
 */
export function suiteGroups(folder: string): SuiteGroup[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'))
  const groups = new Map<string, SuiteGroup>()
  for (const file of files.sort()) {
    const [top] = dirname(file).split('/') as [string]
    const wishes = join(folder, top, 'guest.json')
    const name = top !== '.' && existsSync(wishes) ? top : common.name
    if (!groups.has(name)) groups.set(name, { ...(name === top ? ownGroup(top, wishes) : common), files: [] })
    groups.get(name)!.files.push(file)
  }
  return [...groups.values()]
}

function ownGroup(name: string, path: string): Omit<SuiteGroup, 'files'> {
  const { seconds = 60, ...wishes } = JSON.parse(readFileSync(path, 'utf8')) as GuestFile
  return { name, wishes, seconds }
}

/**
 * A small selection of tests: the guest boots and runs a container, AppArmor loads profiles, three rules are enforced,
 * violations reach the log, and a container cannot change another container's profile.
 */
export function smokeGroup(groups: readonly SuiteGroup[]): SuiteGroup {
  const { wishes } = groups.find(({ name }) => name === 'rules')!
  const files = ['guest.test.ts', 'rules/vulnerabilities.test.ts', 'hostile/forgery.test.ts']
  return { name: 'smoke', wishes, seconds: 120, files }
}
