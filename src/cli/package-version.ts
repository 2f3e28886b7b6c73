import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The version in package.json. The search finds this file from the source tree and from `dist`. */
export function packageVersion(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')).version
    if (folder === dirname(folder)) throw new Error('package.json is missing from the installation')
  }
}
