// The entry module of a worker thread in a process that runs from sources, as in tests. It is not part of an
// installation, so it may use tsx. On Node.js 20, a worker thread inherits `--import tsx`, but without effect, so this
// module registers tsx.
const loader = 'tsx/esm/api'
const { register } = await import(loader)
register()
await import('./thread-entry.ts')
