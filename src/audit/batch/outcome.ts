/** The result of a record. */
export const outcome = { written: 0, filtered: 1, deferred: 2, undecodable: 3 } as const
export type Outcome = (typeof outcome)[keyof typeof outcome]
