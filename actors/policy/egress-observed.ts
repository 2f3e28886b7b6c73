import type { EgressAddresses } from '../../src/api/types.ts'

/** Where those are that the rules of an ArmorProfile are about. */
export interface EgressObserved {
  /** Undefined as long as it is not known. */
  addresses: readonly EgressAddresses[] | undefined
  /** ArmorProfiles with such rules, which share what the watches of all nodes may carry. */
  sharing: number
}
