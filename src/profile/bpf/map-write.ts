/** A value for a map of the BPF programs, whose name is `map`. */
export interface MapWrite {
  map: string
  key: Uint8Array
  value: Uint8Array
  /**
   * `map` is a map of maps: a new array with one value of so many bytes is put into it, and `value`, with zeros behind
   * it, is that value.
   */
  inner?: number
}

/**
 * What a profile has is more than the maps have room for, or none of what they hold. Compilers and the schema of
 * policies refuse such before.
 */
export class UnfitProfile extends Error {
  override readonly name = 'UnfitProfile'
}
