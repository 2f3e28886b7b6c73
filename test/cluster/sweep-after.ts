// Run by the watchdog of a cluster when the process that owned it is gone: node sweep-after.ts <folder>
import { runFolder } from './run-folder.ts'
import { sweep } from './sweep.ts'

await sweep(runFolder(process.argv[2]!))
