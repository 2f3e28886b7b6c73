/**
 * The version of a line's format, written as `schema`: increase it when a key is removed or changes its type or
 * meaning. A new key does not change it.
 */
export const lineSchema = 1
