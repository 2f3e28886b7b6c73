import { expect } from 'chai'
import type { Workload } from '../../../actors/ports.ts'
import { decide } from '../../../actors/rollout/decide.ts'
import { idle, type Memory } from '../../../actors/rollout/memory.ts'
import { restartOf } from '../../../actors/rollout/restart-patch.ts'
import { RESTARTED_AT } from '../../../actors/rollout/restarted-at.ts'
import { type Known, survey } from '../../../actors/rollout/survey.ts'
import { defaultRolloutSettings as settings, type WantedRollout } from '../../../actors/rollout.ts'
import { asWall } from '../../../src/base/clock.ts'
import { outlined } from '../../../src/base/left-out.ts'

const SINCE = Date.UTC(2026, 0, 1)
const wanted: WantedRollout = {
  ...{ change: 'create-1', since: SINCE, stamp: 0, removing: false, namespace: 'demo', profileName: 'varmor-demo-web' },
  target: { kind: 'Deployment', name: 'web' },
  enforcers: ['AppArmor'],
  mode: 'AlwaysAllow',
}
const web: Workload = {
  kind: 'Deployment',
  metadata: {
    ...{ name: 'web', namespace: 'demo', uid: 'web', resourceVersion: '1' },
    labels: { 'sandbox.varmor.org/enable': 'true' },
  },
  spec: { replicas: 0, template: { spec: { containers: [{ name: 'main' }] } } },
}

const known = (now: number, started: ReadonlyMap<string, number> = new Map()): Known => ({
  ...{ pods: new Map(), started, lastMade: SINCE, now, wall: asWall(now), rival: () => undefined },
})

/** The lists that are not empty. */
const placed = (workload: Workload, of: WantedRollout): string[] =>
  Object.entries(survey({ workloads: () => [workload] }, of, settings, known(SINCE)))
    .filter(([, found]) => (Array.isArray(found) ? found.length > 0 : found > 0))
    .map(([list]) => list)

describe('a workload that was restarted', () => {
  const rows: [title: string, began: number, now: number, since: number, removing: boolean, expected: string][] = [
    ['counts', SINCE, SINCE + 1, SINCE, false, 'unseen'],
    ['counts by the clock of a manager that is behind', SINCE, SINCE - 60_000, SINCE, false, 'unseen'],
    ['does not count when the policy comes back to what it was', SINCE, SINCE + 1, SINCE + 60_000, false, 'waiting'],
    ['counts for a removal, of which there is one, by any clock', SINCE, SINCE + 1, SINCE + 60_000, true, 'finished'],
  ]
  for (const [title, began, now, since, removing, expected] of rows)
    it(title, () => {
      const { after } = restartOf(web, { ...wanted, since: began, removing }, asWall(now))
      expect(placed(after, { ...wanted, since, removing })).to.deep.equal([expected])
    })
})

describe('restarts in the annotation of a workload', () => {
  const rows: [later: number, expected: string][] = [
    [15, 'unseen'],
    [16, 'waiting'],
  ]
  for (const [later, expected] of rows)
    it(`count if they are among the last 16: ${later} later ones`, () => {
      const { after } = restartOf(web, wanted, asWall(SINCE + 1))
      const annotations = after.spec.template.metadata!.annotations!
      const others = Array.from({ length: later }, (_, i) => `other-${i}@2026-01-01T00:00:00.000Z`)
      annotations[RESTARTED_AT] = [annotations[RESTARTED_AT], ...others].join(',')
      expect(placed(after, wanted)).to.deep.equal([expected])
    })
})

describe('a workload that was restarted and is not well', () => {
  const NOW = SINCE + 600_000
  const before = new Map([['web', SINCE + 200_000]])
  const rows: {
    title: string
    said: number | undefined
    started?: ReadonlyMap<string, number>
    made?: number
    since?: number
  }[] = [
    { title: 'is late from when it says', said: SINCE + 100_000, since: SINCE + 100_000 },
    { title: 'is not restarted later than now', said: Date.UTC(9999, 0, 1), since: NOW },
    { title: 'is not restarted before it was wanted', said: 0, since: SINCE },
    { title: 'stays restarted when it was, if it says later', said: NOW, started: before, since: SINCE + 200_000 },
    {
      title: 'stays restarted when it was, if it says nothing',
      said: undefined,
      started: before,
      since: SINCE + 200_000,
    },
    { title: 'is not waited for where it was made later', said: NOW, made: SINCE + 1_000 },
  ]
  for (const { title, said, started, made = SINCE, since } of rows)
    it(title, () => {
      const of = { ...wanted, removing: true }
      const { after } = said === undefined ? { after: web } : restartOf(web, { ...of, since: 0 }, asWall(said))
      const metadata = { ...after.metadata, creationTimestamp: new Date(made).toISOString(), generation: 2 }
      const found = survey({ workloads: () => [{ ...after, metadata }] }, of, settings, known(NOW, started))
      expect(found.rolling.map((one) => one.since)).to.deep.equal(since === undefined ? [] : [since])
      expect(Object.fromEntries(found.started)).to.deep.equal(since === undefined ? {} : { web: since })
    })
})

describe('a workload of which a manager keeps an outline only', () => {
  const outline = outlined(
    { kind: 'Deployment', metadata: { ...web.metadata, labels: {} }, spec: { template: {} } } as Workload,
    'there is no room for it',
  )
  const bySelector = { ...wanted, target: { kind: 'Deployment', selector: { matchLabels: { app: 'web' } } } } as const
  const later = { ...outline, metadata: { ...outline.metadata, creationTimestamp: '2026-01-02T00:00:00Z' } }
  const rows: [title: string, workload: Workload, of: WantedRollout, expected: string[]][] = [
    ['may be meant by its labels', outline, bySelector, ['outlined']],
    ['is meant by its name', outline, wanted, ['outlined']],
    ['is not meant by another name', outline, { ...wanted, target: { kind: 'Deployment', name: 'db' } }, []],
    ['has picked up the change if it was made later', later, bySelector, []],
  ]
  for (const [title, workload, of, expected] of rows)
    it(title, () => expect(placed(workload, of)).to.deep.equal(expected))

  it('is named in the end, with the reason and what to do', () => {
    const memory: Memory = { ...idle(), wanted: bySelector }
    const found = survey({ workloads: () => [outline] }, bySelector, settings, known(SINCE))
    const { progress } = decide({ now: SINCE, wall: asWall(SINCE), memory, survey: found, settings })
    expect(progress).to.include({
      state: 'done',
      message: 'not restarted, even if the policy selects them: Deployment demo/web; there is no room for it',
    })
  })
})
