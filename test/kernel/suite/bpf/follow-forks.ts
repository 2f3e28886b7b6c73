import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { Forks } from '../../../../src/audit/lineage/forks.ts'

/** A request to the fork tree, one line of JSON. */
export interface Asked {
  /** Asks for the owner of the pid between two times, in unix seconds. */
  find?: { pid: number; earliest: number; latest: number }
  /** States the container of a living process. */
  label?: { pid: number; containerID: string }
}

/**
 * Follows forks with the BPF programs in `folder`, and answers each request line with one line. An empty request gets
 * the counters.
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
