// Loads the programs, by a process that has no more than its capabilities.
import { openEnforcer } from '../bpf/enforcer.ts'

const { folder } = await openEnforcer()
console.log(folder)
process.exit()
