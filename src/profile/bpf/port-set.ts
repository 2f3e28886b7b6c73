/** Flags of a match, as bits, so that the flags of several rules add up. */
export const DENY = 1
export const AUDIT = 2
/** Only in an allow list: the connection is allowed, even if other rules refuse it. */
export const ALLOW = 4

export const egressProtocols = ['tcp', 'udp', 'other'] as const
export type EgressProtocol = (typeof egressProtocols)[number]

export interface Ports {
  /** Absent: all ports. */
  port?: number
  /** The last port of a range that starts at `port`. */
  endPort?: number
  /** Absent: all protocols. `other`: SCTP, DCCP, raw IP and all other protocols. */
  protocol?: EgressProtocol
}

/**
 * Flags by port and protocol: sorted `[first, last, flags]` without overlap; neighbours have different flags. Keys are
 * `egressProtocols.indexOf(protocol) * 65536 + port`, so that the kernel can search by bisection.
 */
export type PortSet = readonly (readonly [first: number, last: number, flags: number])[]

export function portKey(port: number, protocol: EgressProtocol): number {
  return egressProtocols.indexOf(protocol) * 65536 + port
}

function rangesOf({ port = 0, endPort, protocol }: Ports, flags: number): PortSet {
  const last = port === 0 ? 65535 : (endPort ?? port)
  const protocols = protocol === undefined ? egressProtocols : [protocol]
  return protocols.map((name) => [portKey(port, name), portKey(last, name), flags] as const)
}

/** The union of port sets: each key has the flags of all sets. */
export function uniteSets(sets: readonly PortSet[]): PortSet {
  const changes = sets.flat().flatMap(([first, last, flags]) => [
    { at: first, flags, by: 1 },
    { at: last + 1, flags, by: -1 },
  ])
  changes.sort((a, b) => a.at - b.at)
  const depths = [DENY, AUDIT, ALLOW].map((flag) => ({ flag, depth: 0 }))
  const united: [number, number, number][] = []
  for (const [i, { at, flags, by }] of changes.entries()) {
    for (const one of depths) if (flags & one.flag) one.depth += by
    const next = changes[i + 1]
    if (next === undefined || next.at === at) continue
    append(
      united,
      at,
      next.at - 1,
      depths.reduce((all, { flag, depth }) => (depth > 0 ? all | flag : all), 0),
    )
  }
  return united
}

function append(ranges: [number, number, number][], first: number, last: number, flags: number): void {
  const before = ranges.at(-1)
  if (before !== undefined && before[1] === first - 1 && before[2] === flags) before[1] = last
  else if (flags !== 0) ranges.push([first, last, flags])
}

/** The set without the ranges that a rule allows. */
export function withoutAllowed(set: PortSet): PortSet {
  const left: [number, number, number][] = []
  for (const [first, last, flags] of set) append(left, first, last, flags & ALLOW ? 0 : flags)
  return left
}

/** The port set of one rule; without ports it covers all ports. */
export function portSetOf(ports: readonly Ports[], flags: number): PortSet {
  return uniteSets((ports.length === 0 ? [{}] : ports).map((one) => rangesOf(one, flags)))
}

export function flagsAt(set: PortSet, key: number): number {
  return set.find(([first, last]) => first <= key && key <= last)?.[2] ?? 0
}
