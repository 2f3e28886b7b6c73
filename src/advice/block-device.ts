import { matchesPath, parsePathPattern } from '../profile/path-pattern.ts'
import { blockDevices } from '../rules/block-devices.ts'

const patterns = blockDevices.flatMap((text) => {
  const parsed = parsePathPattern(text)
  return parsed.ok ? [parsed.pattern] : []
})

/**
 * Whether a file of this path is one of the disks by the names that Linux gives to them: records do not say of what
 * kind a file is.
 */
export const looksLikeBlockDevice = (path: string): boolean =>
  path.startsWith('/dev/') && patterns.some((pattern) => matchesPath(pattern, Buffer.from(path)))
