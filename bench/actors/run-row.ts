/** Measures one row, named by its file and its function, and prints the result as JSON. */
import type { Result } from './run.ts'

const [file = '', measure = ''] = process.argv.slice(2)
const measures = (await import(file)) as Record<string, () => Promise<Result>>
console.log(JSON.stringify(await measures[measure]!()))
