/**
 * The syntax of a Kubernetes quantity (apimachinery, pkg/api/resource/quantity.go), without a sign, because amounts of
 * resources are not negative.
 */
export const quantityPattern = /^(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(?:([KMGTPE])i|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/

const decimal: Record<string, number> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }

/**
 * Parses a quantity to a number; undefined if the value is not a quantity. Different spellings of one quantity (`0.7`
 * and `700m`) give equal numbers: a decimal suffix becomes the exponent of the number, and a binary suffix is an exact
 * factor.
 */
export function parseQuantity(value: string | number): number | undefined {
  const match = quantityPattern.exec(String(value))
  if (match === null) return undefined
  const [, digits, binary, suffix, exponent] = match
  if (binary !== undefined) return Number(digits) * 2 ** (10 * (1 + 'KMGTPE'.indexOf(binary)))
  return Number(`${digits}e${suffix === undefined ? (exponent ?? '0') : decimal[suffix]}`)
}
