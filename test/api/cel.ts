import { Environment } from '@marcbachmann/cel-js'

const environment = new Environment().registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn')

/** JSON as CEL sees it: the API server's whole numbers are `int`. */
function celValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value
  if (Array.isArray(value)) return value.map(celValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, celValue(field)]))
}

/** Compiles a rule to a function of `self` and `oldSelf`. */
export function compileCel(rule: string): (self: unknown, oldSelf: unknown) => unknown {
  const parsed = environment.parse(rule)
  return (self, oldSelf) => parsed({ self: celValue(self), oldSelf: celValue(oldSelf) })
}
