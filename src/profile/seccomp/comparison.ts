import type { Operator } from './vocabulary.ts'

/**
 * The condition on an argument, an unsigned 64-bit number: equal to `value` under `mask`, different from `value`, or
 * within `from`…`to`. The negation of a condition has these forms too, and so has the conjunction of two conditions,
 * except a mask and a range.
 */
export type Comparison = { index: number; written?: WrittenComparison } & (
  | { kind: 'masked'; mask: bigint; value: bigint }
  | { kind: 'not'; value: bigint }
  | { kind: 'range'; from: bigint; to: bigint }
)

/** A comparison as the OCI runtime specification writes it; kept if the rule was read from a profile. */
export interface WrittenComparison {
  index: number
  value: number
  /** Only for MASKED_EQ: the required value under the mask, which is in `value`. */
  valueTwo?: number
  op: Operator
}

const MAX = (1n << 64n) - 1n

/** Reads one comparison; `never` if no value meets it (below 0, or bits outside of the mask). */
export function readComparison({ index, value, valueTwo, op }: WrittenComparison): Comparison | 'never' {
  // List the fields in a fixed order, so that equal comparisons have equal texts.
  const written = { index, value, ...(valueTwo !== undefined && { valueTwo }), op }
  const v = BigInt(value)
  const two = BigInt(valueTwo ?? 0)
  switch (op) {
    case 'SCMP_CMP_EQ':
      return { index, written, kind: 'masked', mask: MAX, value: v }
    case 'SCMP_CMP_NE':
      return { index, written, kind: 'not', value: v }
    case 'SCMP_CMP_LT':
      return v === 0n ? 'never' : { index, written, kind: 'range', from: 0n, to: v - 1n }
    case 'SCMP_CMP_LE':
      return { index, written, kind: 'range', from: 0n, to: v }
    case 'SCMP_CMP_GT':
      return { index, written, kind: 'range', from: v + 1n, to: MAX }
    case 'SCMP_CMP_GE':
      return { index, written, kind: 'range', from: v, to: MAX }
    case 'SCMP_CMP_MASKED_EQ':
      return (two & ~v) !== 0n ? 'never' : { index, written, kind: 'masked', mask: v, value: two }
  }
}

/** The comparison in the form of the specification. A range has one open end, because `both` makes no other ranges. */
export function writeComparison(comparison: Comparison): WrittenComparison {
  const { index } = comparison
  if (comparison.written !== undefined) return comparison.written
  switch (comparison.kind) {
    case 'not':
      return { index, value: Number(comparison.value), op: 'SCMP_CMP_NE' }
    case 'range':
      if (comparison.to === MAX) return { index, value: Number(comparison.from), op: 'SCMP_CMP_GE' }
      return { index, value: Number(comparison.to), op: 'SCMP_CMP_LE' }
    case 'masked':
      if (comparison.mask === MAX) return { index, value: Number(comparison.value), op: 'SCMP_CMP_EQ' }
      return { index, value: Number(comparison.mask), valueTwo: Number(comparison.value), op: 'SCMP_CMP_MASKED_EQ' }
  }
}

/**
 * Whether the comparison needs more than 32 bits. On a 32-bit ABI libseccomp cuts such a number, which changes the
 * meaning of the comparison (db.c, `_db_rule_gen_32`).
 */
export function isWide(comparison: Comparison): boolean {
  const { written } = comparison
  const { value, valueTwo = 0 } = written ?? writeComparison(comparison)
  return value > 0xffff_ffff || valueTwo > 0xffff_ffff
}

export function holds(comparison: Comparison, argument: bigint): boolean {
  switch (comparison.kind) {
    case 'masked':
      return (argument & comparison.mask) === comparison.value
    case 'not':
      return argument !== comparison.value
    case 'range':
      return argument >= comparison.from && argument <= comparison.to
  }
}

/** The negation as a list: a value that does not meet `comparison` meets at least one comparison of the list. */
export function negate(comparison: Comparison): Comparison[] {
  const { index } = comparison
  switch (comparison.kind) {
    case 'not':
      return [{ index, kind: 'masked', mask: MAX, value: comparison.value }]
    case 'range': {
      const below: Comparison = { index, kind: 'range', from: 0n, to: comparison.from - 1n }
      const above: Comparison = { index, kind: 'range', from: comparison.to + 1n, to: MAX }
      return [...(comparison.from > 0n ? [below] : []), ...(comparison.to < MAX ? [above] : [])]
    }
    case 'masked':
      if (comparison.mask === MAX) return [{ index, kind: 'not', value: comparison.value }]
      return bitsOf(comparison.mask).map((bit) => ({
        index,
        kind: 'masked',
        mask: bit,
        value: (comparison.value & bit) ^ bit,
      }))
  }
}

function bitsOf(mask: bigint): bigint[] {
  const bits = []
  for (let bit = 1n; bit <= mask; bit <<= 1n) if ((mask & bit) !== 0n) bits.push(bit)
  return bits
}

/**
 * The conjunction of two comparisons of one argument: `never` if no value meets both, undefined if it needs two
 * comparisons. libseccomp allows only one comparison for an argument. For two comparisons, runc joins all comparisons
 * by "or" instead of "and".
 */
export function both(a: Comparison, b: Comparison): Comparison | 'never' | undefined {
  if (a.kind === 'masked' && a.mask === MAX) return holds(b, a.value) ? a : 'never'
  if (b.kind === 'masked' && b.mask === MAX) return holds(a, b.value) ? b : 'never'
  if (a.kind === 'masked' && b.kind === 'masked') {
    if ((a.value & b.mask) !== (b.value & a.mask)) return 'never'
    return { index: a.index, kind: 'masked', mask: a.mask | b.mask, value: a.value | b.value }
  }
  if (a.kind === 'range' && b.kind === 'range') return intersection(a, b)
  if (a.kind === 'not') return without(b, a.value)
  if (b.kind === 'not') return without(a, b.value)
  return undefined // a mask and a range
}

type Range = Extract<Comparison, { kind: 'range' }>

function intersection(a: Range, b: Range): Comparison | 'never' | undefined {
  const { from } = b.from > a.from ? b : a
  const { to } = b.to < a.to ? b : a
  if (from > to) return 'never'
  if (from === to) return { index: a.index, kind: 'masked', mask: MAX, value: from }
  return from === 0n || to === MAX ? { index: a.index, kind: 'range', from, to } : undefined
}

function without(comparison: Comparison, value: bigint): Comparison | undefined {
  if (!holds(comparison, value)) return comparison
  if (comparison.kind === 'not' && comparison.value === value) return comparison
  return undefined
}
