import type { Environment } from '@marcbachmann/cel-js'
import { NANO, type NanoUnits, parseQuantity } from '../quantity.ts'

class Quantity {
  readonly nano: NanoUnits
  constructor(nano: NanoUnits) {
    this.nano = nano
  }
}

function quantity(text: string): Quantity {
  const nano = parseQuantity(text)
  if (nano === undefined)
    throw new Error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
  return new Quantity(nano)
}

const compare = (a: Quantity, b: Quantity): bigint => (a.nano < b.nano ? -1n : a.nano > b.nano ? 1n : 0n)

function asInteger({ nano }: Quantity): bigint {
  if (nano % NANO !== 0n) throw new Error('cannot convert value to integer')
  return nano / NANO
}

/** Quantities (`100Mi`, `0.5`) as in Kubernetes' CEL, exact. */
export function registerQuantityFunctions(environment: Environment): Environment {
  return environment
    .registerType('Quantity', { ctor: Quantity, fields: {} })
    .registerFunction('quantity(string): Quantity', quantity)
    .registerFunction('isQuantity(string): bool', (text: string) => parseQuantity(text) !== undefined)
    .registerFunction('Quantity.sign(): int', ({ nano }: Quantity) => (nano < 0n ? -1n : nano > 0n ? 1n : 0n))
    .registerFunction('Quantity.isInteger(): bool', ({ nano }: Quantity) => nano % NANO === 0n)
    .registerFunction('Quantity.asInteger(): int', asInteger)
    .registerFunction('Quantity.asApproximateFloat(): double', ({ nano }: Quantity) => Number(nano) / 1e9)
    .registerFunction('Quantity.compareTo(Quantity): int', compare)
    .registerFunction('Quantity.isLessThan(Quantity): bool', (a: Quantity, b: Quantity) => a.nano < b.nano)
    .registerFunction('Quantity.isGreaterThan(Quantity): bool', (a: Quantity, b: Quantity) => a.nano > b.nano)
    .registerFunction('Quantity.add(Quantity): Quantity', (a: Quantity, b: Quantity) => new Quantity(a.nano + b.nano))
    .registerFunction('Quantity.add(int): Quantity', (a: Quantity, b: bigint) => new Quantity(a.nano + b * NANO))
    .registerFunction('Quantity.sub(Quantity): Quantity', (a: Quantity, b: Quantity) => new Quantity(a.nano - b.nano))
    .registerFunction('Quantity.sub(int): Quantity', (a: Quantity, b: bigint) => new Quantity(a.nano - b * NANO))
    .registerOperator('Quantity == Quantity', (a: Quantity, b: Quantity) => a.nano === b.nano)
}
