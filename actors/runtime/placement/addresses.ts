import type { AnyReference } from '../reference.ts'
import type { SentAddress } from './protocol.ts'

/** So many addresses have a number at once. */
const LIMIT = 32_768

/** A reference that remembers the number of its address, and under which numbering. */
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
 * The numbers that stand for addresses on a link: those that this side gave, and those that the other side did. A number
 * that is given again simply means the new address from there on. The owner clears them when nothing that waits to be
 * sent holds one.
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
   * Sees to it that the reference has a number.
   * @returns whether the other side has to be sent it
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

  /** The address that a number of this side stands for. */
  nameOf(address: SentAddress): string {
    return typeof address === 'string' ? address : this.names[address]!
  }

  /** Takes a number that the other side gave. */
  learn(number: number, address: string): void {
    this.known[number] = { address, reference: this.find(address) }
  }

  /** The actor that the other side means. */
  resolve(address: SentAddress): AnyReference {
    if (typeof address === 'string') return this.find(address)
    const known = this.known[address]!
    if (known.reference.stale) known.reference = this.find(known.address)
    return known.reference
  }
}
