import { parseQuantity } from '../../../api/quantity.ts'
import { isSidecar } from '../node/container-record.ts'
import type { Container, PodSpec } from '../types.ts'

/** Amounts by resource name (`cpu` in cores, `memory` in bytes); `pods` counts pods. */
export type Amounts = ReadonlyMap<string, number>

export function amountsOf(quantities: Readonly<Record<string, string | number>> | undefined): Map<string, number> {
  const amounts = new Map<string, number>()
  for (const [name, quantity] of Object.entries(quantities ?? {})) amounts.set(name, parseQuantity(quantity) ?? 0)
  return amounts
}

const requestsOf = ({ resources }: Container): Map<string, number> => amountsOf(resources?.requests)

export function add(to: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) to.set(name, (to.get(name) ?? 0) + amount)
}

export function subtract(from: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) from.set(name, (from.get(name) ?? 0) - amount)
}

/** What a pod takes of its node: its containers together, or one of its init containers where that needs more. */
export function podAmounts({ containers, initContainers = [], overhead }: PodSpec): Map<string, number> {
  const total = new Map<string, number>()
  for (const container of containers) add(total, requestsOf(container))
  const sidecars = new Map<string, number>()
  const peak = new Map<string, number>()
  for (const container of initContainers) {
    const alone = requestsOf(container)
    add(alone, sidecars)
    for (const [name, amount] of alone) peak.set(name, Math.max(peak.get(name) ?? 0, amount))
    if (isSidecar(container)) add(sidecars, requestsOf(container))
  }
  add(total, sidecars)
  for (const [name, amount] of peak) total.set(name, Math.max(total.get(name) ?? 0, amount))
  add(total, amountsOf(overhead))
  return total.set('pods', 1)
}
