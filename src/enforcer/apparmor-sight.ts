import type { AppArmorKernel } from './apparmor-kernel.ts'

export type Fingerprints = ReadonlyMap<string, string>

/** What the kernel showed, and its revision before and after the look. */
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
  /** The look before them. */
  before: Sight
  /** Of the profiles. */
  names: readonly string[]
  /**
   * Whether the kernel may have held the text of one before: a load of what is there already may not count as a change.
   */
  mayBeThere: boolean
  /** Loads all of them again. */
  again(): Promise<void>
}

/**
 * Loads that are done again for certainty, at most. What is not certain then is looked at with all else, a while later.
 */
const confirmations = 3

/**
 * The profiles that the kernel shows after loads, and whether they surely come from these loads: another process may
 * replace a profile in between. More changes than loads cannot all be ours, and a load need not count as a change. In
 * doubt all profiles are loaded again, until the kernel shows the same before and after.
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
