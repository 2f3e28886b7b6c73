import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'

/**
 * @param ignored folders, such as `test/kernel/**`
 * @param asked files and folders, relative to the project's root; empty: all
 * @throws if a requested file or folder has no test
 */
export function testFiles(ignored: readonly string[], asked: readonly string[]): string[] {
  const folders = ignored.map((pattern) => pattern.replace(/\*\*$/, ''))
  const all = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .map((name) => join('test', name))
    .filter((file) => file.endsWith('.test.ts') && !folders.some((folder) => file.startsWith(folder)))
    .sort()
  if (asked.length === 0) return all
  const chosen = asked.map((name) => {
    const path = relative('.', name)
    const found = all.filter((file) => file === path || file.startsWith(`${path}/`))
    if (found.length === 0) throw new Error(`no tests in ${name}`)
    return found
  })
  return [...new Set(chosen.flat())]
}
