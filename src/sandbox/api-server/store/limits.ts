/** How many changes of a resource are kept for watches that come back, unless the options say otherwise. */
export const defaultHistoryLimit = 20_000

/** Below so many dead entries it is not worth moving the living. */
export const fewestKept = 1024

/** How many lists that are read in pages are kept, so that a page costs the page and not the list. */
export const defaultSnapshotLimit = 32
