import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import type { Loss } from '../../../src/audit/sink/loss-tally.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { Checkpoint, parseContent } from '../../../src/audit/source/checkpoint.ts'
import type { FilePosition } from '../../../src/audit/source/file-position.ts'
import { FollowedFile } from '../../../src/audit/source/followed-file.ts'
import type { MissedPorts } from '../../../src/audit/source/missed-records.ts'
import { type OpenOptions, openAuditSource } from '../../../src/audit/source/open-source.ts'
import { isoTime } from '../../../src/base/clock.ts'
import { hostileValues } from '../../fakes/hostile-json.ts'
import { ManualClock, presentBy } from '../manual-clock.ts'
import { IdleSource } from './idle-source.ts'
import { notices, Reading, rest, textOf } from './notices.ts'

describe('an audit source that is opened', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-open-'))
    path = join(folder, 'audit.log')
    writeFileSync(path, 'old\n')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const checkpoint = () => new Checkpoint(join(folder, 'position.json'))
  const saved = () => parseContent(readFileSync(join(folder, 'position.json')))!

  /**
   * One run of the agent with the file.
   * @returns the records that it reads; it commits all of them
   */
  async function run(options: OpenOptions = {}): Promise<string> {
    const kept = checkpoint()
    const { source } = await openAuditSource({ kind: 'file', paths: [path] }, { checkpoint: kept, ...options })
    const batches = await rest(source!)
    for (const { position } of batches) kept.commit(position)
    await kept.flush()
    return batches.map(textOf).join('')
  }

  it('begins at the end the first time, and then where it was', async () => {
    expect(await run()).to.equal('')
    appendFileSync(path, 'one\n')
    expect(await run()).to.equal('one\n')
    appendFileSync(path, 'two\n')
    expect(await run()).to.equal('two\n')
    expect(await run()).to.equal('')
  })

  it('begins at the beginning the first time when asked to, and only then', async () => {
    expect(await run({ fromStart: true })).to.equal('old\n')
    expect(await run({ fromStart: true })).to.equal('')
  })

  it('knows where it began even if it read nothing before it was killed', async () => {
    const { source } = await openAuditSource({ kind: 'file', paths: [path] }, { checkpoint: checkpoint() })
    await source!.close()
    appendFileSync(path, 'one\n')
    expect(await run()).to.equal('one\n')
  })

  it('waits for a forced file, and reads it from its beginning, also after a restart', async () => {
    rmSync(path)
    expect(await run()).to.equal('')
    writeFileSync(path, 'one\n')
    const { source } = await openAuditSource({ kind: 'file', paths: [path] }, { checkpoint: checkpoint() })
    expect((await rest(source!)).map(textOf)).to.deep.equal(['one\n'])
  })

  it('begins at the end after a broken checkpoint, and says that lines may be missing', async () => {
    writeFileSync(join(folder, 'position.json'), '{"vers')
    const log = notices()
    expect(await run({ fromStart: true, follow: { notify: log.notify } })).to.equal('')
    expect(log.codes()).to.deep.equal(['gap-checkpoint'])
  })

  it('begins at the end after a position that is none', async () => {
    await checkpoint().begin(path, { path, offset: 'four' })
    const log = notices()
    expect(await run({ follow: { notify: log.notify } })).to.equal('')
    expect(log.codes()).to.deep.equal(['gap-checkpoint'])
  })

  it('begins somewhere, whatever position is in the checkpoint', async () => {
    await run()
    const valid = saved()
    const before = valid.position as FilePosition
    await fc.assert(
      fc.asyncProperty(hostileValues(before), async (position) => {
        writeFileSync(join(folder, 'position.json'), JSON.stringify({ ...valid, position }))
        expect(await run()).to.be.oneOf(['', 'old\n', 'ld\n', 'd\n', '\n'])
      }),
    )
    writeFileSync(
      join(folder, 'position.json'),
      JSON.stringify({
        ...valid,
        position: { ...before, offset: 2 ** 52, head: { length: 2 ** 50, sum: '' } },
      }),
    )
    expect(await run()).to.equal('')
  })

  it('gives nothing again that came through another source meanwhile', async () => {
    await run()
    appendFileSync(path, 'came by multicast too\n')
    const multicast = () => new IdleSource('multicast')
    const { source, chosen } = await openAuditSource({}, { checkpoint: checkpoint(), multicast })
    await source!.close()
    expect(chosen).to.include({ kind: 'multicast', reason: 'first-choice' })
    expect(saved()).to.deep.include({ version: 2, source: 'multicast' })
    const log = notices()
    expect(await run({ follow: { notify: log.notify } })).to.equal('')
    expect(log.codes()).to.deep.equal(['gap-checkpoint'])
  })

  describe('that keeps no records while no agent listens', () => {
    const multicast = () => new IdleSource('multicast')
    const start = async (lost: Loss[], clock = new ManualClock()) => {
      const kept = new Checkpoint(join(folder, 'position.json'), { clock, present: presentBy(clock) })
      const options = {
        checkpoint: kept,
        multicast,
        clock,
        present: presentBy(clock),
        lost: (loss: Loss) => void lost.push(loss),
      }
      const { source } = await openAuditSource({ kind: 'multicast' }, options)
      return { source: source!, kept, clock }
    }

    it('says at the next start from when to when no agent listened', async () => {
      const lost: Loss[] = []
      const { source, kept, clock } = await start(lost)
      expect(lost).to.deep.equal([])
      await clock.advance(60_000)
      source.stop()
      for (const { position } of await rest(source)) kept.commit(position)
      await kept.flush()
      const ended = clock.now()
      await clock.advance(5_000)
      const again = await start(lost, clock)
      expect(lost).to.deep.equal([{ where: 'multicast', why: 'not-running', since: ended }])
      await again.source.close()
    })

    describe('and other logs do', () => {
      const denial = (at: number): string =>
        `[ ${(at / 1_000).toFixed(6)}] audit: type=1400 audit(${(at / 1_000).toFixed(3)}:7): apparmor="DENIED" name="/missed"`
      const restart = async (kernelLog: (ended: number) => string) => {
        const [lost, log] = [[] as Loss[], notices()]
        const first = await start(lost)
        first.source.stop()
        for (const { position } of await rest(first.source)) first.kept.commit(position)
        await first.kept.flush()
        const ended = first.clock.now()
        await first.clock.advance(5_000)
        const { clock } = first
        const missed: MissedPorts = {
          findWritten: async () => new Set(),
          kernelLog: () => `<6>[    0.000000] Linux\n<5>${kernelLog(ended)}\n`,
          auditLog: join(folder, 'none.log'),
          limit: () => ({ interval: 5, burst: 10 }),
          now: () => clock.now() / 1_000,
          uptime: () => clock.now() / 1_000,
        }
        const options = {
          clock,
          present: presentBy(clock),
          multicast,
          missed,
          follow: { notify: log.notify },
          lost: (loss: Loss) => void lost.push(loss),
        }
        const { source } = await openAuditSource({ kind: 'multicast' }, { checkpoint: checkpoint(), ...options })
        const reading = new Reading(source!)
        await clock.advance(1_000)
        await reading.until((text) => text !== '' || lost.length > 0)
        source!.stop()
        await reading.ended
        return { lost, log, text: reading.text, ended }
      }

      it('takes what they have, and says that nothing was lost by saying nothing', async () => {
        const { lost, log, text } = await restart((ended) => denial(ended + 2_000))
        expect(text).to.match(/^type=1400 .*"\/missed"\n$/)
        expect(lost).to.deep.equal([])
        expect(log.codes()).to.deep.equal(['missed-found'])
      })

      it('says what may be lost where they may lack something', async () => {
        const { lost, text, ended } = await restart((at) => `${denial(at + 2_000)}\n<5>${denial(at + 2_000)}`)
        expect(text).to.match(/^type=1400 .*\n$/)
        expect(lost).to.deep.equal([{ where: 'multicast', why: 'not-running', since: ended }])
      })
    })

    it('begins with whatever position is in the checkpoint, and says that some may be lost where it is none', async () => {
      const valid = { at: 1_740_000_000_000, boot: 'boot', up: 5, serial: 7 }
      await fc.assert(
        fc.asyncProperty(hostileValues(valid), async (position) => {
          const lost: Loss[] = []
          writeFileSync(join(folder, 'position.json'), JSON.stringify({ version: 1, source: 'multicast', position }))
          await (await start(lost)).source.close()
          expect(lost.map(({ where, why }) => [where, why])).to.deep.equal([['multicast', 'not-running']])
          for (const { since } of lost) if (since !== undefined) expect(isoTime(since)).to.match(/Z$/)
        }),
      )
    })

    it('says since when another source was in use, and nothing of a time that is not known', async () => {
      const lost: Loss[] = []
      const clock = new ManualClock()
      await new Checkpoint(join(folder, 'position.json'), { clock, present: presentBy(clock) }).begin('/a.log', 1)
      const seen = clock.now()
      await clock.advance(5_000)
      await (await start(lost, clock)).source.close()
      writeFileSync(join(folder, 'position.json'), '{"version":1,"source":"multicast","position":null}')
      await (await start(lost, clock)).source.close()
      expect(lost).to.deep.equal([
        { where: 'multicast', why: 'not-running', since: seen },
        { where: 'multicast', why: 'not-running' },
      ])
    })
  })

  it('is the next path where the first is missing or no file', async () => {
    mkdirSync(join(folder, 'directory'))
    const paths = [join(folder, 'missing'), join(folder, 'directory'), join(folder, 'none', 'x'), path]
    const { source, refused } = await openAuditSource({ kind: 'file', paths })
    expect(source!.name).to.equal(path)
    expect(source).to.be.instanceOf(FollowedFile)
    expect(refused.map(({ code }) => code)).to.deep.equal(['MISSING', 'MISSING', 'MISSING'])
    await source!.close()
  })

  it('is none where the only one asked for is refused, and the checkpoint stays as it is', async () => {
    await run()
    const multicast = () => {
      throw new AuditSourceError('NOT_PERMITTED', 'join', 'give CAP_AUDIT_READ')
    }
    const choice = await openAuditSource({ kind: 'multicast' }, { checkpoint: checkpoint(), multicast })
    expect(choice.source).to.equal(undefined)
    expect(saved().source).to.equal(path)
  })
})
