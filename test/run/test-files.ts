import { readdirSync } from 'node:fs'
import { join, relative } from 'node:path'

/**
 * @param ignored folders, as `test/kernel/**`
 * @param asked files and folders, from the root of the project; all without any
 * @throws if an asked file or folder has no test
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
