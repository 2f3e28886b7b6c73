import type { AnyReference } from '../reference.ts'
import type { SentAddress } from './protocol.ts'

/** Maximum number of addresses with a number. */
const LIMIT = 32_768

/** A reference that stores the number of its address, and the numbering in which the number is valid. */
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
 * Numbers for the addresses on a link: numbers from this side and from the other side. A side may use a number again
 * for another address. The owner clears the numbers when no waiting item uses a number.
 */
export class Addresses {
  private readonly find: (address: string) => AnyReference
  private readonly numbers = new Map<string, number>()
  private readonly names: string[] = []
  /** Starts at 1: a new reference has numbering 0, so its number is invalid. */
  private numbering = 1
  private known: Known[] = []

  constructor(find: (address: string) => AnyReference) {
    this.find = find
  }

  get full(): boolean {
    return this.names.length >= LIMIT
  }

  /** Forgets the numbers that this side assigned. */
  clear(): void {
    this.numbers.clear()
    this.names.length = 0
    this.numbering++
  }

  /**
   * Assigns a number to the reference's address if it has none.
   * @returns whether the other side must be told the number
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

  /** The address for a number that this side assigned. */
  nameOf(address: SentAddress): string {
    return typeof address === 'string' ? address : this.names[address]!
  }

  /** Stores a number that the other side assigned. */
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
