import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { threadOptions } from '../../../src/audit/pool/thread-options.ts'

describe('threads of the decode pool', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'threads-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('load no ES module with require(), which aborts the process if the thread ends meanwhile', async () => {
    const path = join(folder, 'entry.mjs')
    writeFileSync(path, 'export default () => 1')
    const code = `let code
      try { require(${JSON.stringify(path)}) } catch (error) { code = error.code }
      require('node:worker_threads').parentPort.postMessage(code)`
    const worker = new Worker(code, { eval: true, ...threadOptions() })
    const [answer] = await once(worker, 'message')
    await worker.terminate()
    expect(answer).to.equal('ERR_REQUIRE_ESM')
  })
})
