import { COSTLY_TENANT_FOR, SLOW, SLOW_FOR, stranger, type Tenant } from './turns.ts'

/** So many are remembered; beyond that, of the peer that has most, first those that have not been slow. */
const MOST = 1_000

/** What is remembered of those whose jobs were done. */
export class Tenants extends Map<string, Tenant & { peer: string }> {
  /** The last turn of each peer. */
  readonly peers = new Map<string, number>()
  #turns = 0

  /** It gets a turn. */
  begins(name: string, peer: string): void {
    const { slowUntil, costlyUntil } = this.get(name) ?? stranger
    const turn = ++this.#turns
    // The newest last, so that it is the oldest that are forgotten.
    this.delete(name)
    this.set(name, { peer, turn, slowUntil, costlyUntil })
    this.peers.delete(peer)
    this.peers.set(peer, turn)
    if (this.peers.size > MOST) this.peers.delete(this.peers.keys().next().value!)
  }

  /** Its job took so many milliseconds. */
  ended(name: string, took: number, isTooCostly: boolean, now: number): void {
    const known = this.get(name)
    // There was room for so many that it was forgotten meanwhile.
    if (known === undefined) return
    const { slowUntil, costlyUntil } = known
    this.set(name, {
      ...known,
      slowUntil: took > SLOW ? now + SLOW_FOR : slowUntil === stranger.slowUntil ? 0 : slowUntil,
      costlyUntil: isTooCostly ? now + COSTLY_TENANT_FOR : costlyUntil,
    })
    if (this.size > MOST) this.#forget(now)
  }

  /** Half of those of the peer that has most: so one who asks for many has only its own forgotten. */
  #forget(now: number): void {
    const ofPeers = new Map<string, string[]>()
    for (const [name, { peer }] of this) {
      const names = ofPeers.get(peer)
      if (names === undefined) ofPeers.set(peer, [name])
      else names.push(name)
    }
    const most = [...ofPeers.values()].reduce((one, other) => (other.length > one.length ? other : one))
    const isSlow = (name: string): boolean => this.get(name)!.slowUntil > now
    const inOrder = [...most.filter((name) => !isSlow(name)), ...most.filter(isSlow)]
    for (const name of inOrder.slice(0, Math.ceil(most.length / 2))) this.delete(name)
  }
}
