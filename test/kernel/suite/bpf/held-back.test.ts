import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { bootOf } from '../../../../src/agent/lifecycle/boot.ts'
import { startViolationPipeline } from '../../../../src/agent/violations/violation-pipeline.ts'
import { SnapshotFeed } from '../../../../src/audit/enrich/snapshot-feed.ts'
import { noLogger } from '../../../../src/base/logger.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { checkLine } from '../../../audit/check-line.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { Container, containerIdOf } from '../harness/container.ts'
import { compiled, identityOf, policyOf } from '../harness/profiles.ts'
import { fillBpfMap } from '../harness/python.ts'
import { openEnforcer } from './enforcer.ts'
import { RacingProbe } from './racing-probe.ts'

const name = 'held-back'
const files = { forbidden: '/etc/passwd', allowed: '/etc/group' }
const policy = policyOf(
  name,
  'enforced',
  {
    ...{ privileged: true, auditViolations: true },
    bpfRawRules: { files: [{ pattern: files.forbidden, permissions: ['read'] }] },
  },
  'BPF',
)
const { profileName } = identityOf(policy)
const id = createHash('sha256').update(name).digest('hex')
const rate = { rate: 5, burst: 50 }

interface Line {
  message: string
  containerID: string
  heldBack?: { where: string; operation: string; events: number; rate: number }
}

describe('BPF records of a container that floods', function () {
  this.timeout(1_800_000)
  let container: Container
  let enforcer: BpfEnforcer
  let folder: string
  before(async () => {
    folder = mkdtempSync('/tmp/held-back-')
    await output('containerd-up', [])
    enforcer = await openEnforcer({ recordsRate: rate })
    await enforcer.load(profileName, JSON.stringify(compiled(policy).enforcers.BPF!.profile))
    await enforcer.add({ id, profile: profileName })
    container = await Container.start(name, { image: debianImage })
  })
  after(async () => {
    await container?.stop()
    await enforcer?.end()
    rmSync(folder, { recursive: true })
  })

  it('are held back in the kernel beyond a rate, all refused, and lines and numbers in the log are all that happened', async () => {
    const log = join(folder, 'violations.log')
    const bpfNumber = enforcer.numberOf(id)!
    const feed = new SnapshotFeed({
      ...{ version: 1, nodeName: 'guest', metadata: {}, policies: [identityOf(policy)], ...bootOf('/proc') },
      containers: [{ ...container.info, profileName, bpfNumber }],
    })
    const pipeline = await startViolationPipeline({
      ...{ feed, log, logger: noLogger, fromStart: false, workers: 1, request: { kind: 'multicast' } },
      ...{ ring: () => enforcer.folder, heldRate: rate.rate },
    })
    if ('why' in pipeline) throw new Error(pipeline.why)
    const lines = (): Line[] =>
      readFileSync(log, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => checkLine(line) as unknown as Line)
    const of = (message: string): Line[] => lines().filter((line) => line.message === message)
    const before = enforcer.counters()
    const probe = RacingProbe.start(container.info.containerID, 'flood', files)
    await probe.after(6_000)
    const { tries: both, passed, refused } = await probe.stop()
    const tries = both / 2
    expect({ passed, refused }).to.deep.equal({ passed: 0, refused: 0 })
    // The container makes no further record, but the agent still reports the held-back records.
    while (of('held back ended').length === 0) await pause(100)
    await pipeline.stop()
    await pipeline.ended
    const now = enforcer.counters()
    const [reported, full, held] = (['reported', 'ringFull', 'heldBack'] as const).map((key) => now[key] - before[key])
    const said = of('held back ended').reduce((sum, { heldBack }) => sum + heldBack!.events, 0)
    console.log(`      ${tries} tries: ${reported} records, ${held} held back, ${full} found the ring full`)
    expect(of('violation event')).to.have.length(reported!)
    expect(said).to.equal(held)
    expect(reported! + held! + full!).to.equal(tries)
    expect(held).to.be.above(tries / 2)
    for (const { containerID, heldBack } of [...of('held back'), ...of('held back ended')]) {
      expect(containerID).to.equal(container.info.containerID)
      expect(heldBack).to.include({ where: 'kernel', operation: 'File' })
    }
    expect(of('held back')[0]!.heldBack!.rate).to.equal(rate.rate)
  })

  it('have no rate while the table of rates is full, and each is refused and counted', async () => {
    const [filling, late] = ['fills-rates', 'late']
    const filler = await Container.start(filling, { image: debianImage, flags: ['--privileged'] })
    try {
      // The table has 65,536 entries, and the container above has one. Tables of ended enforcers may still exist.
      const { text } = await filler.run(fillBpfMap('varmor_buckets', 70_000))
      expect(text.split(' ')).to.include('65535')
    } finally {
      await filler.stop()
    }
    await enforcer.add({ id: containerIdOf(late), profile: profileName })
    const other = await Container.start(late, { image: debianImage })
    try {
      const before = enforcer.counters()
      const probe = RacingProbe.start(containerIdOf(late), 'flood', files)
      await probe.after(2_000)
      const { tries, passed, refused } = await probe.stop()
      const now = enforcer.counters()
      expect({ passed, refused }).to.deep.equal({ passed: 0, refused: 0 })
      expect(now.heldBack).to.equal(before.heldBack)
      expect(now.reported + now.ringFull - before.reported - before.ringFull).to.equal(tries / 2)
    } finally {
      await other.stop()
    }
  })
})
