/** A value for the map named `map` of the BPF programs. */
export interface MapWrite {
  map: string
  key: Uint8Array
  value: Uint8Array
  /**
   * Set if `map` is a map of maps: the kernel gets a new array with one value of this many bytes, which is `value`
   * followed by zeros.
   */
  inner?: number
}

/**
 * A profile exceeds the bounds of the maps, or has a value that the maps cannot hold. Compilers and the policy schema
 * refuse such profiles earlier.
 */
export class UnfitProfile extends Error {
  override readonly name = 'UnfitProfile'
}
