import { Buffer } from 'node:buffer'
import fs, { existsSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import handle from '../../../src/audit/pool/worker.ts'
import type { WorkerReply, WorkerTask } from '../../../src/audit/pool/worker-task.ts'

/** Does `work` as if the machine had no free file descriptors. */
function withoutFiles(work: () => WorkerReply): WorkerReply {
  const { readFileSync } = fs
  fs.readFileSync = () => {
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  }
  syncBuiltinESMExports()
  try {
    return work()
  } finally {
    fs.readFileSync = readFileSync
    syncBuiltinESMExports()
  }
}

/**
 * A worker that fails for batches that contain a certain word. `[once PATH]` fails only while the file does not exist,
 * `[while PATH]` only while it exists.
 */
export default function faulty(task: WorkerTask): WorkerReply {
  const text = Buffer.from(task.batch.bytes).toString('latin1')
  const once = /\[once ([^\]]*)\]/.exec(text)?.[1]
  const during = /\[while ([^\]]*)\]/.exec(text)?.[1]
  if ((once === undefined || !existsSync(once)) && (during === undefined || existsSync(during))) {
    if (once !== undefined) writeFileSync(once, '')
    if (text.includes('[exit]')) process.exit(3)
    if (text.includes('[endless]')) for (;;);
    if (text.includes('[starved]')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000)
    if (text.includes('[reject]')) throw Object.assign(new Error('thrown'), { code: 'LOST' })
    if (text.includes('[emfile]')) return withoutFiles(() => handle(task))
    if (text.includes('[value]')) return { ok: false, problem: 'refused' }
    if (text.includes('[heap]')) for (const hoard: number[][] = []; ; ) hoard.push(new Array<number>(1e6).fill(1))
  }
  return handle(task)
}
