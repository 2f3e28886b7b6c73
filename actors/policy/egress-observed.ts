import type { EgressAddresses } from '../../src/api/types.ts'

/** Addresses that the rules of an ArmorProfile refer to. */
export interface EgressObserved {
  /** Undefined while they are unknown. */
  addresses: readonly EgressAddresses[] | undefined
  /** Number of ArmorProfiles with such rules; they share the limit for the watches of all nodes. */
  sharing: number
}
