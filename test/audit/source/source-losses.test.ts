import { expect } from 'chai'
import type { Loss } from '../../../src/audit/sink/loss-tally.ts'
import { FollowedFile } from '../../../src/audit/source/followed-file.ts'
import { KmsgSource } from '../../../src/audit/source/kmsg.ts'
import type { AuditSource } from '../../../src/audit/source/source.ts'
import { SourceLosses } from '../../../src/audit/source/source-losses.ts'

const device = { read: () => 'empty' as const, close: () => undefined }

import { asWall } from '../../../src/base/clock.ts'

describe('what sources have lost', () => {
  it('is said once, with what each look finds new, and adds up to their counts', () => {
    const dropped: Record<string, number | null> = { full: 0, forged: 0, gaps: 0, unknown: null }
    const source = {
      lossKinds: {
        full: { where: 'socket', why: 'full' },
        gaps: { where: 'file', why: 'vanished', counted: false },
        unknown: { where: 'kernel', why: 'backlog' },
      },
      stats: () => ({ dropped: { ...dropped } }),
    } as unknown as AuditSource
    let now = 1_000
    const losses: Loss[] = []
    const looks = new SourceLosses(
      source,
      (loss) => void losses.push(loss),
      () => asWall(now),
    )
    looks.poll()
    expect(losses).to.deep.equal([])
    now = 2_000
    Object.assign(dropped, { full: 7, forged: 9, gaps: 1 })
    looks.poll()
    expect(losses.splice(0)).to.deep.equal([
      { where: 'socket', why: 'full', since: 1_000, events: 7 },
      { where: 'file', why: 'vanished', since: 1_000 },
    ])
    looks.poll()
    expect(losses).to.deep.equal([])
    now = 3_000
    Object.assign(dropped, { full: 10, unknown: 2 })
    looks.poll()
    expect(losses).to.deep.equal([
      { where: 'socket', why: 'full', since: 2_000, events: 3 },
      { where: 'kernel', why: 'backlog', since: 2_000, events: 2 },
    ])
  })

  it('have names that the sources count', async () => {
    const file = await FollowedFile.open('/nowhere/at.all')
    for (const source of [file, new KmsgSource({ device, boot: 'b' })]) {
      expect(Object.keys(source.stats().dropped)).to.include.members(Object.keys(source.lossKinds))
      await source.close()
    }
  })
})
