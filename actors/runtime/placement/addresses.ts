import type { AnyReference } from '../reference.ts'
import type { SentAddress } from './protocol.ts'

/** Maximum number of addresses with a number. */
const LIMIT = 32_768

/** A reference that remembers its address's number, and the numbering that it belongs to. */
export interface Numbered {
  readonly address: string
  number: number
  numbering: number
}

interface Known {
  readonly address: string
  reference: AnyReference
}

/**
 * Numbers for addresses on a link, given by this side and by the other side. A number that is given again means the new
 * address from then on. The owner clears them when no waiting item uses one.
 */
export class Addresses {
  private readonly find: (address: string) => AnyReference
  private readonly numbers = new Map<string, number>()
  private readonly names: string[] = []
  /** Starts at 1, so that no new reference has a number. */
  private numbering = 1
  private known: Known[] = []

  constructor(find: (address: string) => AnyReference) {
    this.find = find
  }

  get full(): boolean {
    return this.names.length >= LIMIT
  }

  /** Forgets the numbers that this side gave. */
  clear(): void {
    this.numbers.clear()
    this.names.length = 0
    this.numbering++
  }

  /**
   * Gives the reference a number if it has none.
   * @returns whether the other side must be sent it
   */
  number(to: Numbered): boolean {
    if (to.numbering === this.numbering) return false
    to.numbering = this.numbering
    const number = this.numbers.get(to.address)
    to.number = number ?? this.names.length
    if (number !== undefined) return false
    this.numbers.set(to.address, to.number)
    this.names.push(to.address)
    return true
  }

  /** The address of a number of this side. */
  nameOf(address: SentAddress): string {
    return typeof address === 'string' ? address : this.names[address]!
  }

  /** Stores a number of the other side. */
  learn(number: number, address: string): void {
    this.known[number] = { address, reference: this.find(address) }
  }

  /** The actor that the other side addresses. */
  resolve(address: SentAddress): AnyReference {
    if (typeof address === 'string') return this.find(address)
    const known = this.known[address]!
    if (known.reference.stale) known.reference = this.find(known.address)
    return known.reference
  }
}
