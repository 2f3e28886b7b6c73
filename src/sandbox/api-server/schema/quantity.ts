/** A quantity of Kubernetes (apimachinery, pkg/api/resource): exact, in units of 10^-9, which is the finest it keeps. */
export type NanoUnits = bigint

const decimal: Record<string, number> = { n: 0, u: 3, m: 6, '': 9, k: 12, M: 15, G: 18, T: 21, P: 24, E: 27 }
const form = /^([+-]?)(\d*)(?:\.(\d*))?(?:([KMGTPE])i|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/

export const NANO: NanoUnits = 1_000_000_000n

/** `digits` times 10^`exponent` in units of 10^-9; what is finer is rounded up, as Kubernetes does. */
function scaled(digits: bigint, exponent: number): NanoUnits {
  const power = exponent + 9
  if (power >= 0) return digits * 10n ** BigInt(power)
  const divisor = 10n ** BigInt(-power)
  return (digits + divisor - 1n) / divisor
}

/** Undefined for what is no quantity. */
export function parseQuantity(text: string): NanoUnits | undefined {
  const match = form.exec(text)
  if (match === null || text.length > 64) return undefined
  const [, sign, whole = '', fraction = '', binary, suffix = '', exponent] = match
  if (whole === '' && fraction === '') return undefined
  const digits = BigInt(`${whole}${fraction}` || '0')
  const shift = binary === undefined ? 0n : 10n * BigInt(1 + 'KMGTPE'.indexOf(binary))
  const power = exponent === undefined ? (binary === undefined ? (decimal[suffix] as number) - 9 : 0) : Number(exponent)
  const size = scaled(digits << shift, power - fraction.length)
  return sign === '-' ? -size : size
}
