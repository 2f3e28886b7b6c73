import { describeCase } from './case.ts'
import { describeEvasions, type Run } from './evasion.ts'
import { mounts } from './mounts.ts'
import { names } from './names.ts'
import { namespaces } from './namespaces.ts'
import { reading } from './reading.ts'
import { running } from './running.ts'
import { writing } from './writing.ts'

/** All ways around rules that both AppArmor and BPF enforce. */
export function describeCatalogue(run: Run): void {
  for (const table of [...reading, ...writing, ...running, ...names, ...namespaces, ...mounts])
    describeEvasions(table, run)
  describe(`evasions: case (${run.enforcers})`, () => describeCase(run))
}
