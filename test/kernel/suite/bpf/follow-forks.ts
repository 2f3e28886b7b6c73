import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { Forks } from '../../../../src/audit/lineage/forks.ts'

/** A request to the fork tree, a line of JSON. */
export interface Asked {
  /** Finds the owner of the pid between two times, in unix seconds. */
  find?: { pid: number; earliest: number; latest: number }
  /** Where a living process is. */
  label?: { pid: number; containerID: string }
}

/**
 * Follows forks by the BPF programs of a folder, and answers each line with one; without a question with its counters.
 */
function follow(folder: string): void {
  const forks = Forks.open({ folder, napMs: 20 })
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { find, label } = JSON.parse(line) as Asked
    if (find !== undefined) console.log(JSON.stringify(forks.find(find.pid, find.earliest, find.latest) ?? null))
    else if (label !== undefined) console.log(String(forks.confirm(forks.living(label.pid)!, label.containerID)))
    else console.log(JSON.stringify(forks.stats()))
  })
  console.log('"open"')
}

const { positionals } = parseArgs({ allowPositionals: true })
if (positionals[0] !== undefined) follow(positionals[0])
