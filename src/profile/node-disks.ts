import { blockDevices } from '../rules/block-devices.ts'
import type { Restriction } from '../rules/meaning.ts'
import { matchesPath, parsePathPattern } from './path-pattern.ts'

/** A restriction for compilers, after `node-disks` is replaced by the node's disks. */
export type CompiledRestriction = Exclude<Restriction, { kind: 'node-disks' }>

/**
 * The restrictions, with a path or a mount for each disk of the node that has an unusual name. The catalogue covers
 * usual names, so adding a usual disk changes no profile. @param devices paths such as `/dev/sda1` of the node
 */
export function withNodeDisks(
  restrictions: readonly Restriction[],
  devices: readonly string[] = [],
): CompiledRestriction[] {
  return restrictions.flatMap((restriction): CompiledRestriction[] => {
    if (restriction.kind !== 'node-disks') return [restriction]
    const { deny, mount: operations } = restriction
    return unusualDisks(devices).flatMap((device) => [
      ...(deny.length > 0 ? [{ kind: 'path' as const, pattern: device, deny }] : []),
      ...(operations.length > 0 ? [{ kind: 'mount' as const, operations, source: device }] : []),
    ])
  })
}

const usual = blockDevices.map((text) => {
  const parsed = parsePathPattern(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.problem}`)
  return parsed.pattern
})

/**
 * Disks that no rule covers by its usual name, sorted, so that equal disks give equal text. Devices without a plain
 * path are left out.
 */
export function unusualDisks(devices: readonly string[]): string[] {
  const isPlain = (device: string) => device.startsWith('/dev/') && !device.includes('*') && parsePathPattern(device).ok
  const isUsual = (device: string) => usual.some((pattern) => matchesPath(pattern, Buffer.from(device)))
  return [...new Set(devices)].filter((device) => isPlain(device) && !isUsual(device)).sort()
}
