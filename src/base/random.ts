/** A source of evenly distributed numbers in [0, 1). `Math.random` has this type. */
export type Random = () => number

/**
 * A repeatable source: the same seed gives the same numbers on every machine. It is for tests and jitter, not for
 * secrets. The generator is sfc32 of PractRand, with 32 bits per number.
 */
export function seededRandom(seed: number): Random {
  let a = seed | 0
  let b = Math.floor(seed / 2 ** 32) | 0
  let c = 0x9e3779b9
  let counter = 1
  const draw = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }
  // The first numbers are dropped, because seeds that differ in one bit give similar first numbers.
  for (let i = 0; i < 15; i++) draw()
  return draw
}
