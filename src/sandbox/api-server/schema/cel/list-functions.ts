import { type Environment, Optional } from '@marcbachmann/cel-js'

type Item = unknown
type Ordered = bigint | number | string | boolean | Date

const key = (value: Item): string =>
  JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `int:${part}` : part)) ?? String(value)
const indexOf = (list: Item[], wanted: Item): number => list.findIndex((item) => key(item) === key(wanted))

function order(a: Item, b: Item): number {
  const [x, y] = [a as Ordered, b as Ordered]
  if (typeof x !== typeof y && !(isNumeric(x) && isNumeric(y))) throw new Error('no such overload')
  return x < y ? -1 : x > y ? 1 : 0
}
const isNumeric = (value: unknown): boolean => typeof value === 'bigint' || typeof value === 'number'

function extreme(list: Item[], sign: 1 | -1, name: string): Item {
  if (list.length === 0) throw new Error(`${name} called on empty list`)
  return list.reduce((best, item) => (order(item, best) * sign > 0 ? item : best))
}

function sum(list: Item[]): bigint | number {
  if (list.every((item) => typeof item === 'bigint')) return (list as bigint[]).reduce((all, item) => all + item, 0n)
  return list.reduce<number>((all, item) => all + Number(item), 0)
}

function slice(list: Item[], from: bigint, to: bigint): Item[] {
  if (from < 0n || to < from || to > BigInt(list.length))
    throw new Error(`cannot slice(${from}, ${to}), list is length ${list.length}`)
  return list.slice(Number(from), Number(to))
}

const flatten = (list: Item[], depth: number): Item[] => list.flat(depth) as Item[]
const distinct = (list: Item[]): Item[] => list.filter((item, index) => indexOf(list, item) === index)
const contains = (list: Item[], sub: Item[]): boolean => sub.every((item) => indexOf(list, item) >= 0)

// A range is made whole before anyone looks at it.
const LONGEST_RANGE = 100_000n
function range(length: bigint): bigint[] {
  if (length > LONGEST_RANGE) throw new Error(`range too long: ${length}`)
  return Array.from({ length: Number(length) }, (_, index) => BigInt(index))
}

class Sets {}

/** Lists as in Kubernetes' CEL: its own library (isSorted, sum, min, max, indexOf), `sets` and the newer list functions. */
export function registerListFunctions(environment: Environment): Environment {
  return environment
    .registerFunction('list<dyn>.isSorted(): bool', (list: Item[]) =>
      list.every((item, index) => index === 0 || order(list[index - 1], item) <= 0),
    )
    .registerFunction('list<dyn>.sum(): dyn', sum)
    .registerFunction('list<dyn>.min(): dyn', (list: Item[]) => extreme(list, -1, 'min'))
    .registerFunction('list<dyn>.max(): dyn', (list: Item[]) => extreme(list, 1, 'max'))
    .registerFunction('list<dyn>.indexOf(dyn): int', (list: Item[], item: Item) => BigInt(indexOf(list, item)))
    .registerFunction('list<dyn>.lastIndexOf(dyn): int', (list: Item[], item: Item) =>
      BigInt(list.map(key).lastIndexOf(key(item))),
    )
    .registerFunction('list<dyn>.slice(int, int): list<dyn>', slice)
    .registerFunction('list<dyn>.flatten(): list<dyn>', (list: Item[]) => flatten(list, 1))
    .registerFunction('list<dyn>.flatten(int): list<dyn>', (list: Item[], depth: bigint) =>
      flatten(list, Number(depth)),
    )
    .registerFunction('list<dyn>.first(): optional<dyn>', (list: Item[]) =>
      list.length === 0 ? Optional.none() : Optional.of(list[0]),
    )
    .registerFunction('list<dyn>.last(): optional<dyn>', (list: Item[]) =>
      list.length === 0 ? Optional.none() : Optional.of(list.at(-1)),
    )
    .registerFunction('list<dyn>.distinct(): list<dyn>', distinct)
    .registerFunction('list<dyn>.sort(): list<dyn>', (list: Item[]) => [...list].sort(order))
    .registerFunction('list<dyn>.reverse(): list<dyn>', (list: Item[]) => [...list].reverse())
    .registerFunction('Lists.range(int): list<dyn>', (_: unknown, length: bigint) => range(length))
    .registerFunction('Sets.contains(list<dyn>, list<dyn>): bool', (_: Sets, list: Item[], sub: Item[]) =>
      contains(list, sub),
    )
    .registerFunction(
      'Sets.equivalent(list<dyn>, list<dyn>): bool',
      (_: Sets, a: Item[], b: Item[]) => contains(a, b) && contains(b, a),
    )
    .registerFunction('Sets.intersects(list<dyn>, list<dyn>): bool', (_: Sets, a: Item[], b: Item[]) =>
      a.some((item) => indexOf(b, item) >= 0),
    )
}

class Lists {}

/** The names `sets` and `lists`, whose methods are functions. */
export function registerListNamespaces(environment: Environment): Environment {
  return environment
    .registerType('Sets', { ctor: Sets, fields: {} })
    .registerType('Lists', { ctor: Lists, fields: {} })
    .registerConstant('sets', 'Sets', new Sets())
    .registerConstant('lists', 'Lists', new Lists())
}
