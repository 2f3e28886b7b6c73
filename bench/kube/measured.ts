import { stopwatch } from '../bench.ts'

/** What one client cost. */
export interface Cost {
  /** Until all objects were there. */
  listSeconds: number
  listCpuSeconds: number
  /** MiB after the list. */
  listRss: number
  /** Of the changes that were counted. */
  changes: number
  watchSeconds: number
  watchCpuSeconds: number
  /** MiB: the most that was seen while changes came, and what is left of the heap after a collection. */
  watchRss: number
  heap: number
  objects: number
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1048576)

/** Measures this process. Call `listed` when all objects are there, `changed` at each change; after `count` of them it prints. */
export function measured(count: number, objects: () => number) {
  const listing = stopwatch()
  const cost: Partial<Cost> = {}
  // The first second of changes is not counted: code that is not compiled yet, and what came while the list was taken.
  const skipped = Math.min(1000, count)
  let [changes, watching, rss] = [0, listing, 0]
  return {
    listed(): void {
      const { seconds, cpuSeconds } = listing()
      cost.listSeconds = seconds
      cost.listCpuSeconds = cpuSeconds
      cost.listRss = mebibytes(process.memoryUsage.rss())
    },
    changed(): void {
      changes++
      if (changes === skipped) watching = stopwatch()
      if (changes % 1000 === 0) rss = Math.max(rss, process.memoryUsage.rss())
      if (changes !== skipped + count) return
      cost.changes = count
      const { seconds, cpuSeconds } = watching()
      cost.watchSeconds = seconds
      cost.watchCpuSeconds = cpuSeconds
      cost.watchRss = mebibytes(rss)
      cost.objects = objects()
      global.gc?.()
      cost.heap = mebibytes(process.memoryUsage().heapUsed)
      console.log(JSON.stringify(cost))
      process.exit()
    },
  }
}
