import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { SnapshotFeed } from '../../src/audit/enrich/snapshot-feed.ts'
import { Pipeline } from '../../src/audit/pipeline/pipeline.ts'
import { DecodePool } from '../../src/audit/pool/decode-pool.ts'
import { Sink } from '../../src/audit/sink/sink.ts'
import { KmsgSource } from '../../src/audit/source/kmsg.ts'
import { MulticastSource } from '../../src/audit/source/multicast.ts'
import type { AuditSource } from '../../src/audit/source/source.ts'
import { systemClock } from '../../src/base/clock.ts'
import { compile } from '../native/c-program.ts'
import { withKernelAlone } from '../run/kernel-alone.ts'
import { checkLine } from './check-line.ts'
import { dropped, whyNotHere } from './source/kernel-records.ts'

const missing = whyNotHere()

/** This process and its children form the node's only container. */
const node = {
  version: 1,
  nodeName: 'node-1',
  metadata: {},
  bootTime: Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1]),
  containers: [
    {
      containerID: 'c1',
      containerName: 'make-records',
      image: 'made/here:1',
      podName: 'web-1',
      podNamespace: 'demo',
      podUID: 'u1',
      mntNsID: statSync('/proc/self/ns/mnt').ino,
      profileName: 'varmor-demo-demo-1',
      initPid: process.pid,
    },
  ],
  policies: [{ profileName: 'varmor-demo-demo-1', kind: 'VarmorPolicy' as const, name: 'demo-1', namespace: 'demo' }],
}

interface RunningPipeline {
  pipeline: Pipeline
  /**
   * Stops the pipeline when no record has arrived for a while.
   * @returns the lines of its log
   */
  end(): Promise<string[]>
}

async function startPipeline(folder: string, source: AuditSource): Promise<RunningPipeline> {
  const feed = new SnapshotFeed(node)
  const pool = new DecodePool({ feed, settings: { everything: false, procRoot: '/proc' }, clock: systemClock })
  const path = join(folder, `${source.name.replaceAll('/', '-')}.log`)
  const sink = new Sink({ path, size: '1G', clock: systemClock, random: Math.random, writer: feed })
  await Promise.all([pool.ready(), sink.ready()])
  const pipeline = new Pipeline({ sources: [{ source, pressure: 'loses' }], pool, sink, feed, clock: systemClock })
  const ended = pipeline.run()
  const end = async (): Promise<string[]> => {
    for (let before = -1, quiet = 0; quiet < 10; await pause(50)) {
      quiet = pipeline.accounting.totals.read === before ? quiet + 1 : 0
      before = pipeline.accounting.totals.read
    }
    pipeline.stop()
    await ended
    await pool.close()
    return readFileSync(path, 'utf8').split('\n').slice(0, -1)
  }
  return { pipeline, end }
}

describe(`from the kernel to violations.log${missing === undefined ? '' : ` (not here: ${missing})`}`, () => {
  let folder: string
  before(function () {
    if (missing !== undefined) this.skip()
    folder = mkdtempSync(join(tmpdir(), 'varmor-kernel-'))
  })
  withKernelAlone()
  after(() => missing === undefined && rmSync(folder, { recursive: true, force: true }))

  for (const [mode, level, action] of [
    ['log', 'debug', 'AUDIT|ALLOWED'],
    ['errno', 'warn', 'DENIED'],
  ] as const)
    it(`logs each of 100,000 calls that a seccomp filter answers (${mode})`, async function () {
      // The socket's buffer holds seconds of this rate. If the reader is not scheduled for longer, records are lost and
      // counted.
      this.retries(2)
      const source = new MulticastSource()
      const pipelines = [await startPipeline(folder, source), await startPipeline(folder, new KmsgSource())] as const
      const child = spawn(compile('make-records'), [mode, '100000', '20000'], { stdio: ['ignore', 'pipe', 'inherit'] })
      let made = ''
      child.stdout.on('data', (data) => {
        made += data
      })
      await once(child, 'close')
      const own = (lines: readonly string[]): Record<string, unknown>[] =>
        lines.map(checkLine).filter(({ event }) => (event as { pid?: number }).pid === child.pid)
      const [lines, ofKmsg] = await Promise.all(pipelines.map((running) => running.end().then(own)))
      this.test!.title += `; /dev/kmsg gave ${ofKmsg!.length}`
      expect(Number(made)).to.equal(100_000)
      expect(lines!.length + dropped(source.stats())).to.equal(100_000)
      expect(lines).to.have.length(100_000)
      // /dev/kmsg must not have delivered records.
      for (const first of [lines![0], ...ofKmsg!.slice(0, 1)])
        expect(first).to.deep.include({
          ...{ level, action, nodeName: 'node-1', podName: 'web-1', image: 'made/here:1', eventType: 'Seccomp' },
          ...{ policyName: 'demo-1', policyNamespace: 'demo', message: 'violation event' },
        })
      expect(lines![0]!['event']).to.include({ comm: 'make-records', syscall: 'getppid' })
      for (const { pipeline } of pipelines) expect(pipeline.accounting.balanced).to.equal(true)
    })
})
