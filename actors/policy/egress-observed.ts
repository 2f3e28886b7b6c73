import type { EgressAddresses } from '../../src/api/types.ts'

/** Addresses that the rules of an ArmorProfile refer to. */
export interface EgressObserved {
  /** Undefined if the addresses are not known yet. */
  addresses: readonly EgressAddresses[] | undefined
  /** Number of ArmorProfiles with such rules; they share the limit for the watch traffic of all nodes. */
  sharing: number
}
