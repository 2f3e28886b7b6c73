import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cacheRoot } from './cached.ts'

/**
 * The path of kubectl if an earlier run of the cluster tier built it; for tests that need no other part of a cluster.
 */
export function builtKubectl(): string | undefined {
  const folder = cacheRoot()
  if (!existsSync(folder)) return undefined
  const paths = readdirSync(folder).map((name) => join(folder, name, 'kubectl'))
  return paths.find((path) => existsSync(path))
}
