import { matchesPath, parsePathPattern } from '../profile/path-pattern.ts'
import { blockDevices } from '../rules/block-devices.ts'

const patterns = blockDevices.flatMap((text) => {
  const parsed = parsePathPattern(text)
  return parsed.ok ? [parsed.pattern] : []
})

/**
 * Whether Linux gives names like this path to disks. Records do not contain the type of a file, so the path decides.
 */
export const looksLikeBlockDevice = (path: string): boolean =>
  path.startsWith('/dev/') && patterns.some((pattern) => matchesPath(pattern, Buffer.from(path)))
