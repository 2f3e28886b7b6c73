// Runs as a child: open-and-close TIMES. Prints the process's resources before and after.
import { readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MulticastSource } from '../../../src/audit/source/multicast.ts'

async function openAndClose(times: number) {
  for (let i = 0; i < times; i++) {
    const source = new MulticastSource({ sampleMs: 1 })
    if (i % 3 === 0) source.close()
    else if (i % 3 === 1) for await (const _batch of stopped(source));
    else {
      setImmediate(() => source.close())
      for await (const _batch of source);
    }
  }
}

function stopped(source: MulticastSource) {
  source.stop()
  return source
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Memory without JavaScript objects, because the size of V8's heap depends on the moment. */
function megabytesNow(): number {
  const { rss, heapTotal } = process.memoryUsage()
  return (rss - heapTotal) / 2 ** 20
}

async function held() {
  // Other threads free the garbage, late on a busy machine. So the program waits until memory has not shrunk for a
  // second.
  let megabytes = Number.POSITIVE_INFINITY
  for (let same = 0; same < 10; same++) {
    collectGarbage()
    await pause(100)
    const now = megabytesNow()
    if (now < megabytes - 1) same = 0
    megabytes = Math.min(megabytes, now)
  }
  return {
    files: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    megabytes,
  }
}

const times = Number(process.argv[2])
await openAndClose(times)
const before = await held()
await openAndClose(times)
console.log(JSON.stringify({ before, after: await held() }))
