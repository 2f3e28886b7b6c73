/**
 * Divides the room evenly among the names. A name that wants less than its share gets what it wants; the other names
 * divide the remainder. So a name cannot shrink another name's share by wanting more.
 */
export function fairShares(wanted: ReadonlyMap<string, number>, room: number): Map<string, number> {
  const ascending = [...wanted].sort(([a, some], [b, others]) => some - others || (a < b ? -1 : 1))
  let left = room
  return new Map(
    ascending.map(([who, amount], i) => {
      const share = Math.min(amount, Math.floor(left / (ascending.length - i)))
      left -= share
      return [who, share]
    }),
  )
}

/** Adds the amounts of each name. */
export function sums(amounts: Iterable<readonly [of: string, amount: number]>): Map<string, number> {
  const all = new Map<string, number>()
  for (const [of, amount] of amounts) all.set(of, (all.get(of) ?? 0) + amount)
  return all
}
