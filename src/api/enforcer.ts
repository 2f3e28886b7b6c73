import { nearestName } from './field-error.ts'

/** The enforcers in canonical order: three parts of the kernel, and a proxy container in the pod. */
export const enforcers = ['AppArmor', 'BPF', 'Seccomp', 'NetworkProxy'] as const

export type Enforcer = (typeof enforcers)[number]

/** The enforcers that load a profile into the kernel. `varmor compile` compiles for these enforcers. */
export type KernelEnforcer = Exclude<Enforcer, 'NetworkProxy'>

/**
 * Reads `spec.policy.enforcer`: any concatenation of enforcer names, in any order and case (`AppArmorBPF`,
 * `bpfseccomp`). Returns each name once, in canonical order. For an invalid text, returns the part that is not a name,
 * and the nearest name.
 */
export function parseEnforcers(
  text: string,
): { ok: true; enforcers: Enforcer[] } | { ok: false; rest: string; nearest?: string } {
  const found = new Set<Enforcer>()
  let rest = text
  while (rest !== '' || found.size === 0) {
    const lower = rest.toLowerCase()
    const next = enforcers.find((name) => lower.startsWith(name.toLowerCase()))
    if (next === undefined) {
      const nearest = nearestName(rest, enforcers)
      return nearest === undefined ? { ok: false, rest } : { ok: false, rest, nearest }
    }
    found.add(next)
    rest = rest.slice(next.length)
  }
  return { ok: true, enforcers: enforcers.filter((name) => found.has(name)) }
}
