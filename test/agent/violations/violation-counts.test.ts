import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { ViolationCounts } from '../../../src/agent/violations/violation-counts.ts'
import { startViolationPipeline } from '../../../src/agent/violations/violation-pipeline.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { demo, demoPid } from '../../audit/harness.ts'
import { denial } from '../../audit/pipeline-world.ts'
import { makeProcess } from '../../audit/proc-world.ts'

describe('what an agent counts of violations', () => {
  it('goes on when its pipeline ends and another one begins', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varmor-counts-'))
    const audit = join(folder, 'audit.log')
    writeFileSync(audit, '')
    makeProcess(join(folder, 'proc'), demoPid, demo.containers[0]!)
    const feed = new SnapshotFeed(demo)
    const counts = new ViolationCounts(feed)
    const sum = (name: 'decodedRecords' | 'decodedBytes'): number =>
      counts.of(name).reduce((total, { value }) => total + value, 0)
    for (const round of [1, 2]) {
      const pipeline = await startViolationPipeline({
        ...{
          feed,
          counts,
          log: join(folder, 'violations.log'),
          checkpoint: join(folder, 'checkpoint'),
          fromStart: true,
        },
        ...{ request: { kind: 'file', paths: [audit] }, workers: 1, logger: noLogger, procRoot: join(folder, 'proc') },
      })
      if ('why' in pipeline) throw new Error(pipeline.why)
      expect(counts.source).to.equal('file')
      appendFileSync(audit, denial(`/a/${round}`) + denial(`/b/${round}`))
      while (counts.accounting.totals.written < 2 * round) await pause(5)
      pipeline.stop()
      await pipeline.ended
      expect(counts.source).to.equal(undefined)
      expect(sum('decodedRecords')).to.equal(2 * round)
    }
    expect(sum('decodedBytes')).to.equal(2 * (denial('/a/1') + denial('/b/1')).length)
    expect(counts.restarts).to.equal(1)
    expect(counts.accounting.events.map(({ events }) => events)).to.deep.equal([4])
    expect(counts.accounting.balanced).to.equal(true)
    rmSync(folder, { recursive: true })
  })
})
