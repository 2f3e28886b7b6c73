import type { Mask64 } from './bpf-profile.ts'

/** The set of these bits, each from 0 to 63. */
export function mask64(bits: readonly number[]): Mask64 {
  const mask: Mask64 = [0, 0]
  for (const bit of bits) mask[bit < 32 ? 0 : 1] |= 1 << (bit % 32)
  return [mask[0] >>> 0, mask[1] >>> 0]
}
