/** Defaults; times are in milliseconds. See `PoolOptions`. */
export const compilerDefaults = { threads: 2, deadline: 2_000, maxWait: 7_000 }
