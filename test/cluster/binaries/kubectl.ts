import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cacheRoot } from './cached.ts'

/** The path of kubectl where the cluster of the tests has built it; for tests that need nothing else of one. */
export function builtKubectl(): string | undefined {
  const folder = cacheRoot()
  if (!existsSync(folder)) return undefined
  const paths = readdirSync(folder).map((name) => join(folder, name, 'kubectl'))
  return paths.find((path) => existsSync(path))
}
