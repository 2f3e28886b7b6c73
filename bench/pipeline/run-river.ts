import { type RiverRun, runRiver } from './river.ts'

console.log(JSON.stringify(await runRiver(JSON.parse(process.argv[2] ?? '{}') as RiverRun)))
