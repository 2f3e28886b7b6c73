import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { startViolationPipeline } from '../../../src/agent/violations/violation-pipeline.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { parseAuditRules } from '../../../src/audit/source/audit-rules.ts'
import { SilenceWatch } from '../../../src/audit/source/silence-watch.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { checkLine } from '../../audit/check-line.ts'
import { demo } from '../../audit/harness.ts'
import { msgtype, rulesBytes } from '../../audit/source/rule-bytes.ts'

describe('the log of violations, while an audit rule excludes their records', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-silence-'))
    writeFileSync(join(folder, 'audit.log'), '')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  /**
   * One run of an agent.
   * @returns the `lost` lines that it wrote
   */
  const live = async (type: number) => {
    const rules = parseAuditRules(rulesBytes({ fields: [[msgtype, '=', type]] }))
    const read = (path: string): string | undefined => (path.endsWith('enabled') ? 'Y' : undefined)
    const ports = { ask: async () => ({ enabled: 1, rules }), read, clock: systemClock, notify: () => undefined }
    const silence = new SilenceWatch(ports)
    await silence.start()
    const log = join(folder, 'violations.log')
    const pipeline = await startViolationPipeline({
      ...{ feed: new SnapshotFeed(demo), silence, log, checkpoint: join(folder, 'checkpoint'), fromStart: true },
      ...{ request: { kind: 'file', paths: [join(folder, 'audit.log')] }, workers: 1, logger: noLogger },
    })
    if ('why' in pipeline) throw new Error(pipeline.why)
    pipeline.stop()
    await pipeline.ended
    silence.close()
    const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1)
    rmSync(log)
    return lines.map((line) => {
      checkLine(line)
      return JSON.parse(line).lost as { where: string; why: string; events: number | null; from: string; to: string }
    })
  }

  it('says so, without a number, and from when to when', async () => {
    const start = Date.now()
    const [line, ...others] = await live(1400)
    expect(others).to.deep.equal([])
    expect(line).to.include({ where: 'kernel', why: 'apparmor-excluded', events: null })
    expect(Date.parse(line!.from)).to.be.at.least(start - 1)
    expect(Date.parse(line!.to)).to.be.within(Date.parse(line!.from), Date.now())
  })

  it('says after a restart that it may have been so since the last agent', async () => {
    expect(await live(1307)).to.deep.equal([])
    const [, seen] = /"seen":\{"at":(\d+)/.exec(readFileSync(join(folder, 'checkpoint'), 'latin1')) ?? []
    const [line] = await live(1400)
    // The time since boot advances in steps, and a slow machine stores the position more than once.
    expect(Date.parse(line!.from)).to.be.within(Number(seen) - 600_100, Date.now() - 600_000)
  })
})
