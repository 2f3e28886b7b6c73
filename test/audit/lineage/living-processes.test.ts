import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { node } from '../../../bench/audit/made-up.ts'
import { loadKnownAddon } from '../../../src/audit/batch/known-addon.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { LookupBudget } from '../../../src/audit/enrich/lookup-budget.ts'
import type { PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
import { Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import { Forks } from '../../../src/audit/lineage/forks.ts'
import { LineageResolver } from '../../../src/audit/lineage/lineage-resolver.ts'
import { withKernelAlone } from '../../run/kernel-alone.ts'
import { bytesOf, linesOf } from '../harness.ts'
import { whyNoForks } from './why-not-here.ts'

const missing = whyNoForks()
const made = node(2)
const world = { ...made, containers: made.containers.map((one) => ({ ...one, profileName: 'varmor-demo-demo-0' })) }
const [web, other] = world.containers as [(typeof world.containers)[0], (typeof world.containers)[0]]
const monotonic = (): number => Number(process.hrtime.bigint()) / 1e9

describe(`processes that live on${missing === undefined ? '' : ` (not here: ${missing})`}`, () => {
  before(function () {
    if (missing !== undefined) this.skip()
  })
  withKernelAlone()
  let forks: Forks
  let [first, second]: ChildProcess[] = []
  let asked: number[] = []
  beforeEach(async () => {
    forks = Forks.open()
    asked = []
    ;[first, second] = [spawn('sleep', ['1000']), spawn('sleep', ['1000'])]
    for (const { pid } of [first, second]) forks.confirm(forks.living(pid!)!, web.containerID)
    // A record from about the start of a process may belong to the pid's previous owner.
    await pause(2_100)
  })
  afterEach(() => {
    first?.kill('SIGKILL')
    second?.kill('SIGKILL')
    forks.close()
  })

  const decoder = (now = monotonic) => {
    const otherwise: PidResolver = { beginBatch: () => undefined, resolve: () => 'process-gone' }
    const found = {
      number: forks.number,
      reuses: () => forks.reuses(),
      confirm: (key: number, id: string) => forks.confirm(key, id),
      find: (pid: number, earliest: number, latest: number) => {
        asked.push(pid)
        return forks.find(pid, earliest, latest)
      },
    }
    const resolver = new LineageResolver({
      ...{ forks: found, otherwise, now, random: () => 1 },
      readProcess: () => ({ containerID: web.containerID, mntNsID: 7, since: 0 }),
      budget: new LookupBudget(1000, () => 0),
      isKnown: () => true,
    })
    const [snapshot, scratch] = [new Snapshot(world), new Scratch({ kinds: 'counts', known: loadKnownAddon() })]
    let serial = 0
    const record = (seconds: number, { pid }: ChildProcess): string =>
      `type=1400 audit(${seconds}.500:${++serial}): apparmor="DENIED" operation="open" class="file" profile="varmor-demo-demo-0" name="/etc/a" pid=${pid} comm="sh" requested_mask="r" denied_mask="r" fsuid=0 ouid=0\n`
    /**
     * The first record of each second goes through the scanner.
     * @returns the pods of the lines
     */
    return (seconds: number, then: ChildProcess[]): string[] => {
      asked = []
      const bytes = bytesOf([first!, first!, ...then].map((one) => record(seconds, one)).join(''))
      const batch = { source: 'test', seq: 1, format: 'netlink', bytes, minute: 1 } as const
      return linesOf(processBatch(batch, snapshot, resolver, scratch).output).map((line) => JSON.parse(line).podName)
    }
  }
  const now = (): number => Math.floor(Date.now() / 1000)

  it('are not asked for in each second', () => {
    const decode = decoder()
    decode(now() - 1, [second!, second!])
    expect(asked).to.include(second!.pid)
    expect(decode(now(), [second!, second!])).to.deep.equal(Array(4).fill(web.podName))
    expect(asked).to.not.include(second!.pid)
  })

  it('are asked for again in the second after their first second', async () => {
    const decode = decoder()
    const young = spawn('sleep', ['1000'])
    const start = now()
    forks.confirm(forks.living(young.pid!)!, web.containerID)
    try {
      for (const [seconds, isAsked] of [
        [0, true],
        [1, true],
        [2, false],
      ] as const) {
        while (now() < start + seconds) await pause(10)
        expect(decode(start + seconds, [young, young]).slice(2)).to.deep.equal(Array(2).fill(web.podName))
        expect(asked.includes(young.pid!), `after ${seconds} seconds`).to.equal(isAsked)
      }
    } finally {
      young.kill('SIGKILL')
    }
  })

  it('are asked for again where they were put into another container', () => {
    const decode = decoder()
    decode(now() - 1, [second!, second!])
    forks.confirm(forks.living(second!.pid!)!, other.containerID)
    expect(decode(now(), [second!, second!]).slice(2)).to.deep.equal(Array(2).fill(other.podName))
    expect(asked).to.include(second!.pid)
  })

  it('are asked for again when they have ended', async () => {
    const decode = decoder()
    decode(now() - 1, [second!, second!])
    second!.kill('SIGKILL')
    await once(second!, 'exit')
    decode(now(), [second!, second!])
    expect(asked).to.include(second!.pid)
  })

  it('are asked for again when it is time to see what they run', () => {
    const decode = decoder(() => monotonic() - 20)
    decode(now() - 1, [second!, second!])
    decode(now(), [second!, second!])
    expect(asked).to.include(second!.pid)
  })

  it('are asked for again when it is time in the middle of a second, and once', () => {
    let behind = 20
    const decode = decoder(() => monotonic() - behind)
    const at = now()
    decode(at, [second!, second!])
    behind = 0
    decode(at, [second!, second!])
    expect(asked).to.include(second!.pid)
    decode(at, [second!, second!])
    expect(asked).to.deep.equal([])
  })

  it('are asked for again when their fork tree is another one', () => {
    const decode = decoder()
    decode(now() - 1, [second!, second!])
    forks.close()
    forks = Forks.open()
    decode(now(), [second!, second!])
    expect(asked).to.include(second!.pid)
  })
})
