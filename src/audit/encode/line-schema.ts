/**
 * The version of a line's format, written as `schema`. Increase it when you remove a key, or change its type or
 * meaning, but not when you add a key.
 */
export const lineSchema = 1
