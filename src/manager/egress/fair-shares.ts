/**
 * What each may have of the room: all that it wants where that is no more than an even part, and what such leave is the others', evenly.
 * So nobody's share is less because somebody else wants much.
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

/** Amounts of the same are added. */
export function sums(amounts: Iterable<readonly [of: string, amount: number]>): Map<string, number> {
  const all = new Map<string, number>()
  for (const [of, amount] of amounts) all.set(of, (all.get(of) ?? 0) + amount)
  return all
}
