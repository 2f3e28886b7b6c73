import fc from 'fast-check'

/** Cuts bytes at the given positions, in units of 1/10,000 of the length. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...places.map((place) => Math.floor((place * bytes.length) / 10_000)), 0, bytes.length].sort(
    (a, b) => a - b,
  )
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end))
}

export const places = fc.array(fc.nat(10_000), { maxLength: 12 })
