import fc from 'fast-check'
import type { WrittenComparison } from '../../../src/profile/seccomp/comparison.ts'
import { operators } from '../../../src/profile/seccomp/vocabulary.ts'

/** Few values, so that many are equal or share bits. Some fit in 32 bits, and some do not. */
export const value = fc.oneof(
  fc.integer({ min: 0, max: 20 }),
  fc.constantFrom(0xffff_ffff, 0x1_0000_0000, 0x1_0000_0005, Number.MAX_SAFE_INTEGER),
)

export const writtenComparison = fc.record({
  index: fc.integer({ min: 0, max: 2 }),
  value,
  valueTwo: value,
  op: fc.constantFrom(...operators),
})

export const argument = fc.oneof(
  value.map(BigInt),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.integer({ min: 0, max: 31 }).map(BigInt),
)

export const callArguments = fc.tuple(argument, argument, argument)

/** The comparisons of a rule. Each compares a different argument. */
const distinct = (comparison: fc.Arbitrary<WrittenComparison>, maxLength: number) =>
  fc.uniqueArray(comparison, { maxLength, selector: ({ index }) => index })

const equalities = writtenComparison.map((written) => ({ ...written, op: 'SCMP_CMP_MASKED_EQ' as const }))
const narrow = writtenComparison.map((written) => ({ ...written, value: written.value % 21 }))

/** Conditions of several rules for one call: conditions that libseccomp builds correctly, and arbitrary conditions. */
export const conditions: fc.Arbitrary<WrittenComparison[][]> = fc.oneof(
  fc.array(distinct(equalities, 3), { maxLength: 5 }),
  fc.array(distinct(narrow, 1), { maxLength: 5 }),
  fc.array(distinct(writtenComparison, 3), { maxLength: 1 }),
  fc.array(distinct(writtenComparison, 2), { maxLength: 3 }),
)
