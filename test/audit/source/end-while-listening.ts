// Runs as a child: end-while-listening exit|terminate|throw MAKE-RECORDS. Listens in this thread and in a worker while
// records arrive, then ends without closing the listeners.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { MulticastSource } from '../../../src/audit/source/multicast.ts'

async function firstBatch(source: MulticastSource): Promise<AsyncIterator<unknown>> {
  const batches = source[Symbol.asyncIterator]()
  await batches.next()
  return batches
}

/** A worker does not inherit the main thread's TypeScript loader (Node.js 20), so it registers its own loader. */
function typescriptWorker(url: string): Worker {
  const [loader, script] = [JSON.stringify(import.meta.resolve('tsx/esm/api')), JSON.stringify(url)]
  return new Worker(`import(${loader}).then(({ register }) => (register(), import(${script})))`, { eval: true })
}

if (isMainThread) {
  const [ending, program] = process.argv.slice(2)
  const source = new MulticastSource({ batches: 2 })
  const worker = typescriptWorker(import.meta.url)
  await once(worker, 'message')
  const maker = spawn(program!, ['log', '200000'], { stdio: 'ignore' })
  await Promise.all([firstBatch(source), once(worker, 'message')])
  console.log('listening')
  maker.kill()
  if (ending === 'throw') throw new Error('on purpose')
  if (ending === 'terminate') {
    await worker.terminate()
    source.close()
  } else process.exit(0)
} else {
  const source = new MulticastSource({ batches: 2 })
  parentPort!.postMessage('open')
  await firstBatch(source)
  parentPort!.postMessage('read')
}
