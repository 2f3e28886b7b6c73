import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import type { SourceBatch } from '../../../src/audit/batch/batch.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { SnapshotFeed } from '../../../src/audit/enrich/snapshot-feed.ts'
import { type Decoder, Pipeline } from '../../../src/audit/pipeline/pipeline.ts'
import { ProcessLog } from '../../../src/audit/pool/process-log.ts'
import { LossLog } from '../../../src/audit/sink/loss-log.ts'
import { Sink } from '../../../src/audit/sink/sink.ts'
import type { LossKinds, SourceStats } from '../../../src/audit/source/source.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { checkLine } from '../check-line.ts'
import { demo, demoProcesses } from '../harness.ts'
import { ManualClock, turn } from '../manual-clock.ts'
import { denial, ListSource } from '../pipeline-world.ts'

interface LostSaid {
  where: string
  why: string
  from: string
  to: string
  events: number
}

/** A source with the losses that a test sets. */
class LossySource extends ListSource {
  readonly lossKinds: LossKinds = {
    socketFull: { where: 'socket', why: 'full' },
    kernelLost: { where: 'kernel', why: 'backlog' },
    discarded: { where: 'ring', why: 'stopped' },
    gaps: { where: 'file', why: 'truncated', counted: false },
  }
  readonly dropped: Record<string, number | null> = {
    socketFull: 0,
    kernelLost: null,
    discarded: 0,
    gaps: 0,
    forged: 0,
  }

  override stats(): SourceStats {
    return { dropped: { ...this.dropped } }
  }
}

describe('what sources have lost, in the log of violations', () => {
  const sources = {
    sources: {},
    'a ring, without a place to store counts': { written: (): void => undefined },
  }
  for (const [what, more] of Object.entries(sources)) {
    it(`is a line a second for each place and reason, and the lines add up to the counts of ${what}`, async () => {
      const [clock, feed, scratch] = [new ManualClock(), new SnapshotFeed(demo), new Scratch()]
      let text = ''
      const open = async () => ({
        ...{ rotations: 0, room: 1_000_000, sync: async () => undefined, close: async () => undefined },
        write: async (bytes: Uint8Array) => {
          text += Buffer.from(bytes).toString()
          return { written: bytes.length }
        },
      })
      const warnings: object[] = []
      const logger = { ...noLogger, warn: (fields: object) => void warnings.push(fields) }
      const losses = new LossLog({ clock, logger })
      const sink = new Sink({ path: '/nowhere', clock, random: () => 0.5, writer: feed, open, losses })
      const pool: Decoder = {
        ...{ capacity: 5, depth: 0, givenUp: 0, failures: { threw: 0, crashed: 0, stuck: 0 }, refused: {} },
        ...{ seenProcesses: new ProcessLog(), recycle: () => undefined },
        process: async (batch: SourceBatch) => processBatch(batch, new Snapshot(demo), demoProcesses, scratch),
      }
      let end = (): void => undefined
      const ending = new Promise<void>((resolve) => {
        end = resolve
      })
      const source: LossySource = new LossySource([denial('/a'), ''], () =>
        source.given === 0 ? Promise.resolve() : ending,
      )
      const pipeline = new Pipeline({ sources: [{ source, pressure: 'loses', ...more }], pool, sink, feed, clock })
      const ended = pipeline.run()
      const lost = () =>
        text
          .split('\n')
          .slice(0, -1)
          .flatMap((line) => (checkLine(line) as { lost?: LostSaid }).lost ?? [])
      for (let second = 0; second < 10; second++) {
        source.dropped['socketFull']! += second % 3
        source.dropped['kernelLost'] = second * 100
        source.dropped['forged']! += 50
        await clock.advance(1_000)
        const seconds = new Set(lost().map(({ where, to }) => `${where} ${String(to).slice(0, 19)}`))
        expect(lost().length).to.equal(seconds.size)
      }
      source.dropped['gaps'] = 1
      end()
      await turn()
      source.dropped['discarded'] = 4
      await clock.advance(5_000)
      await ended
      const sum = (where: string) =>
        lost()
          .filter((one) => one.where === where)
          .reduce((total, { events }) => total + Number(events), 0)
      expect([sum('socket'), sum('kernel')]).to.deep.equal([source.dropped['socketFull'], 900])
      expect(lost().filter(({ where }) => where === 'file')).to.have.length(1)
      expect(lost().find(({ where }) => where === 'file')!.events).to.equal(null)
      expect(lost().some(({ why }) => why === 'forged')).to.equal(false)
      const counts = new Map(pipeline.losses.map(({ where, events }) => [where, events]))
      expect([counts.get('socket'), counts.get('kernel')]).to.deep.equal([source.dropped['socketFull'], 900])
      expect(warnings.length).to.be.at.least(lost().length)
      for (const { from, to } of lost()) expect(Date.parse(from)).to.be.at.most(Date.parse(to))
    })
  }
})
