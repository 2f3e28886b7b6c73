// The watchdog of a cluster runs this when the cluster's owner has ended: node sweep-after.ts <folder>
import { runFolder } from './run-folder.ts'
import { sweep } from './sweep.ts'

await sweep(runFolder(process.argv[2]!))
