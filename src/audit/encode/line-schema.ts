/**
 * The version of what a line says, which it names as `schema`: higher whenever a key goes or gets another type or
 * meaning. A key more leaves it as it is.
 */
export const lineSchema = 1
