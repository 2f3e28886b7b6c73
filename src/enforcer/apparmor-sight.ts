import type { AppArmorKernel } from './apparmor-kernel.ts'

export type Fingerprints = ReadonlyMap<string, string>

/** The profiles that the kernel showed, and the kernel's revision before and after that. */
export interface Sight {
  since: number | undefined
  fingerprints: Fingerprints
  until: number | undefined
}

export async function readSight(kernel: AppArmorKernel): Promise<Sight> {
  const since = await kernel.revision()
  const fingerprints = await kernel.fingerprints()
  return { since, fingerprints, until: await kernel.revision() }
}

export interface LoadsDone {
  kernel: AppArmorKernel
  /** State before the loads. */
  before: Sight
  /** Names of the loaded profiles. */
  names: readonly string[]
  /** Whether a text may have been loaded already. A load of the same text may not count as a change. */
  mayBeThere: boolean
  /** Loads all profiles again. */
  again(): Promise<void>
}

/** Maximum repeated loads. If the result is still uncertain after them, a later check of all profiles decides. */
const confirmations = 3

/**
 * Returns the profiles that the kernel shows after loads, and whether these loads certainly made them, because another
 * process may replace a profile in between. If the kernel counts more changes than loads, other processes made changes;
 * but a load may not count. If this is uncertain, this loads all profiles again, until nothing else changes.
 */
export async function sightAfter({ kernel, before, names, mayBeThere, again }: LoadsDone): Promise<{
  fingerprints: Fingerprints
  ours: boolean
}> {
  let last = await readSight(kernel)
  let ours = isOurs(before, last, names.length, mayBeThere)
  for (let attempt = 0; !ours && attempt < confirmations; attempt++) {
    await again()
    const next = await readSight(kernel)
    const isSame = names.every((name) => last.fingerprints.get(name) === next.fingerprints.get(name))
    ours = isSame && isOurs(last, next, names.length, false)
    last = next
  }
  return { fingerprints: last.fingerprints, ours }
}

function isOurs({ since }: Sight, { until }: Sight, loads: number, mayBeThere: boolean): boolean {
  if (until === undefined) return true
  if (since === undefined) return false
  const changes = until - since
  return changes === 0 || (changes === loads && !mayBeThere)
}
