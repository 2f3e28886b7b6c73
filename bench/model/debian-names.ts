import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = '/var/lib/dpkg/info'
/** Names with a version should become patterns. */
const versioned = /\d+\.\d+\.\d+/

/** Fixed file names from this machine's packages; empty without dpkg. */
export function debianNames(limit: number): string[] {
  const names = listFiles().flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'))
  const fixed = [...new Set(names)]
    .filter((name) => name.startsWith('/') && name.length > 2 && !versioned.test(name))
    .sort()
  const step = Math.max(1, Math.floor(fixed.length / limit))
  return fixed.filter((_, i) => i % step < 2).slice(0, limit)
}

function listFiles(): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.list'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
