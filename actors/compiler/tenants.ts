import { COSTLY_TENANT_FOR, SLOW, SLOW_FOR, stranger, type Tenant } from './fair-queue.ts'

/**
 * Maximum number of tenants. Above it, the peer with the most tenants loses some tenants, first the tenants that were
 * not slow.
 */
const MAX = 1_000

/** Remembers how costly the jobs of each tenant were. */
export class Tenants extends Map<string, Tenant & { peer: string }> {
  /** The number of each peer's last turn. */
  readonly peers = new Map<string, number>()
  #turns = 0

  /** Records that a tenant's turn starts. */
  begins(name: string, peer: string): void {
    const { slowUntil, costlyUntil } = this.get(name) ?? stranger
    const turn = ++this.#turns
    // Insert the newest last: the map drops the oldest first.
    this.delete(name)
    this.set(name, { peer, turn, slowUntil, costlyUntil })
    this.peers.delete(peer)
    this.peers.set(peer, turn)
    if (this.peers.size > MAX) this.peers.delete(this.peers.keys().next().value!)
  }

  /** Records how many milliseconds a job of the tenant took. */
  ended(name: string, took: number, isTooCostly: boolean, now: number): void {
    const known = this.get(name)
    // The tenant was dropped while its job ran, because the map was full.
    if (known === undefined) return
    const { slowUntil, costlyUntil } = known
    this.set(name, {
      ...known,
      slowUntil: took > SLOW ? now + SLOW_FOR : slowUntil === stranger.slowUntil ? 0 : slowUntil,
      costlyUntil: isTooCostly ? now + COSTLY_TENANT_FOR : costlyUntil,
    })
    if (this.size > MAX) this.#forget(now)
  }

  /**
   * Drops half of the tenants of the peer that has the most tenants. So a peer with many tenants displaces only its own
   * tenants.
   */
  #forget(now: number): void {
    const ofPeers = new Map<string, string[]>()
    for (const [name, { peer }] of this) {
      const names = ofPeers.get(peer)
      if (names === undefined) ofPeers.set(peer, [name])
      else names.push(name)
    }
    const max = [...ofPeers.values()].reduce((one, other) => (other.length > one.length ? other : one))
    const isSlow = (name: string): boolean => this.get(name)!.slowUntil > now
    const inOrder = [...max.filter((name) => !isSlow(name)), ...max.filter(isSlow)]
    for (const name of inOrder.slice(0, Math.ceil(max.length / 2))) this.delete(name)
  }
}
