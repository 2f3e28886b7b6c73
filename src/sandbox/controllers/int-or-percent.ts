import type { IntOrPercent } from './types.ts'

/** A count, or a share (`25%`) of a total. */
export function scaledCount(value: IntOrPercent | undefined, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number' || value === undefined) return value ?? 0
  const share = (Number(value.replace('%', '')) * total) / 100
  return round === 'up' ? Math.ceil(share) : Math.floor(share)
}
