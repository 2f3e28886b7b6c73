// The way into a worker where the sources themselves are run, as the tests do. It is not compiled and does not ship, so
// tsx may be what it needs. On Node 20 an inherited `--import tsx` registers nothing outside the main thread.
const loader = 'tsx/esm/api'
const { register } = await import(loader)
register()
await import('./thread-entry.ts')
