// Loads the programs in a separate process that keeps only its given capabilities.
import { openEnforcer } from '../bpf/enforcer.ts'

const { folder } = await openEnforcer()
console.log(folder)
process.exit()
