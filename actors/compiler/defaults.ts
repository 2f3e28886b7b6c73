/** Default options of the compiler pool, described at `PoolOptions`; times are in milliseconds. */
export const compilerDefaults = { threads: 2, deadline: 2_000, maxWait: 7_000 }
