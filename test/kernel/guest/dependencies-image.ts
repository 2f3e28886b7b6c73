import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached } from './cache.ts'
import { makeSquashfs } from './squashfs.ts'

const project = join(import.meta.dirname, '..', '..', '..')

/** Packages that only check or build the sources, on the host. */
const tools = /^(@biomejs\/biome|@types\/.*|@wasm-fmt\/.*|c8|dependency-cruiser|esbuild|node-gyp|tsx|typescript)$/

interface LockedPackage {
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  /** npm installs the package only if it supports this machine. */
  optional?: boolean
}

/** Format: package-lock.json of npm 7 and later; a package is named by its folder, '' is the project. */
type Lock = Record<string, LockedPackage>

/** The folder in which Node.js finds a package when another package imports it. */
function resolveFolder(lock: Lock, from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const folder = `${at === '' ? '' : `${at}/`}node_modules/${name}`
    if (lock[folder] !== undefined) return folder
    if (at === '') return undefined
    if (!at.includes('/node_modules/')) at = ''
  }
}

/** Folders of the packages that run in the guest. */
export function guestPackages(lock: Lock): Set<string> {
  const found = new Set<string>()
  const add = (from: string, name: string): void => {
    const folder = resolveFolder(lock, from, name)
    if (folder === undefined || found.has(folder)) return
    found.add(folder)
    const { dependencies, optionalDependencies, peerDependencies } = lock[folder]!
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) add(folder, next)
  }
  const { dependencies, devDependencies } = lock['']!
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) if (!tools.test(name)) add('', name)
  return found
}

/** Folders of the packages right below node_modules, with their scopes. */
function installedPackages(): string[] {
  const modules = join(project, 'node_modules')
  return readdirSync(modules).flatMap((name) =>
    name.startsWith('@')
      ? readdirSync(join(modules, name)).map((part) => `node_modules/${name}/${part}`)
      : [`node_modules/${name}`],
  )
}

/** @throws if packages are missing, because the cache would keep the incomplete image for every later run */
export function refuseMissing(wanted: Iterable<string>, lock: Lock, isThere: (folder: string) => boolean): void {
  const missing = [...wanted].filter((folder) => lock[folder]?.optional !== true && !isThere(folder))
  if (missing.length > 0)
    throw new Error(`${missing.length} packages are not installed, ${missing[0]} first: run npm ci`)
}

/** The image of node_modules, without packages that only build and check. */
export async function ensureDependenciesImage(log: StepLog): Promise<string> {
  const text = readFileSync(join(project, 'package-lock.json'), 'utf8')
  const lock = (JSON.parse(text) as { packages: Lock }).packages
  const wanted = guestPackages(lock)
  refuseMissing(wanted, lock, (folder) => existsSync(join(project, folder)))
  const unwanted = installedPackages().filter((folder) => !wanted.has(folder))
  const present = [...wanted].filter((folder) => existsSync(join(project, folder)))
  const key = digest('layout 1', text, present.join('\n'), unwanted.join('\n'))
  const folder = await kernelCached('dependencies', key, (draft) =>
    measured(log, 'image of node_modules', () => {
      const excluded = unwanted.map((path) => path.slice('node_modules/'.length))
      const types = ['... *.d.ts', '... *.d.mts', '... *.d.cts', '... *.map', '... *.md']
      return makeSquashfs(join(project, 'node_modules'), join(draft, 'dependencies.squashfs'), [...excluded, ...types])
    }),
  )
  return join(folder, 'dependencies.squashfs')
}
