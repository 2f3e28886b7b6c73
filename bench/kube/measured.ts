import { stopwatch } from '../bench.ts'

/** The figures of one client. */
export interface Cost {
  /** Seconds until all objects were present. */
  listSeconds: number
  listCpuSeconds: number
  /** MiB after the list. */
  listRss: number
  /** Number of counted changes. */
  changes: number
  watchSeconds: number
  watchCpuSeconds: number
  /** MiB: the maximum during the changes, and the heap after a garbage collection. */
  watchRss: number
  heap: number
  objects: number
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1048576)

/**
 * Measures this process. Call `listed` when all objects are present, and `changed` at each change; after `count`
 * changes it prints the figures.
 */
export function measured(count: number, objects: () => number) {
  const listing = stopwatch()
  const cost: Partial<Cost> = {}
  // Do not count the first second of changes: code is not compiled yet, and changes arrive during the list.
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
