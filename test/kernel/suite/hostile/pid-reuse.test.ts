import { expect } from 'chai'
import { AgentProcess } from '../audit/agent-process.ts'
import { Judge, type Verdict, violations } from './judge.ts'
import { briefContainers, Mayfly, ownersOf, storm } from './storm.ts'
import { Actor, pidMaxFor, policies, prepare, removeShare, setVariable } from './world.ts'

/** Total number of violations; `VARMOR_HOSTILE_RECORDS` sets another number. */
const records = Number(process.env['VARMOR_HOSTILE_RECORDS'] ?? 20_000)
/** Records of one round, after which the growing log is read, and records of one process (`each`). */
const [round, each] = records > 100_000 ? [50_000, 40] : [10_000, 10]
/** Number of records in a test whose result does not depend on it. */
const some = 5_000

/** Few enough that each pid is reused several times a second, and enough for all concurrent processes. */
const freePids = 60

const sum = (counts: Record<string, number | null>): number =>
  Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0)

/** Lines about a storm's violations in a log. */
interface Outcome {
  happened: number
  lost: number
  verdict: Verdict
}

describe('pids that go from one container to another within a second', function () {
  this.timeout(3_600_000)
  let victim: Actor
  let attacker: Actor
  const undo: (() => unknown)[] = []

  before(async () => {
    await prepare()
    undo.push(setVariable('kernel/printk_ratelimit', '0'))
    victim = await Actor.start('victim')
    attacker = await Actor.start('attacker')
  })
  afterEach(() => {
    for (const step of undo.splice(1).reverse()) step()
  })
  after(async () => {
    for (const step of undo.reverse()) step()
    for (const actor of [attacker, victim]) await actor?.stop()
    removeShare()
  })

  interface Weather {
    name: string
    args: string[]
    records: number
    /** The agent runs in its own network namespace, where the kernel does not report forks. */
    alone?: boolean
    /** The test stops the agent during the storm. */
    heldUp?: boolean
  }

  async function weather({ name, args, alone = false, heldUp = false, ...given }: Weather): Promise<Outcome> {
    const mayfly = await Mayfly.start()
    const containers = [victim.info, attacker.info, ...briefContainers()]
    const known = { containers: [...containers, mayfly.info], policies }
    const agent = await AgentProcess.start({ folder: `/tmp/log-${name}`, containers: known, args, alone })
    const judge = new Judge(new Map(ownersOf([victim, attacker])), attacker.info.containerID)
    let happened = 0
    try {
      undo.push(setVariable('kernel/pid_max', pidMaxFor(freePids)))
      await mayfly.end()
      agent.know({ containers, policies })
      for (let left = given.records; left > 0; left -= round) {
        if (heldUp) agent.signal('SIGSTOP')
        happened += await storm(victim, attacker, { records: Math.min(round, left), each })
        if (heldUp) agent.signal('SIGCONT')
        await agent.quiet()
        judge.poll(agent.log.takeFull())
        if (left > round) console.log(`      ${name}, ${happened} so far: ${JSON.stringify(judge.verdict)}`)
      }
    } finally {
      await agent.stop()
    }
    const { status, lines } = await agent.stop()
    const { verdict } = judge.poll(lines)
    const lost = sum(status.dropped) + sum(status.stages.source[0]!.dropped)
    // Prints the number of judged lines, which a test's title cannot contain.
    console.log(`      ${name}: ${JSON.stringify({ happened, lost, ...verdict })}`)
    expect(verdict.wrong, name).to.deep.equal([])
    expect(verdict.named, name).to.be.above(0)
    return { happened, lost, verdict }
  }

  it('never make a wrong name, where forks are followed', async () => {
    const { happened, lost, verdict } = await weather({ name: 'followed', args: [], records })
    expect(violations(verdict)).to.be.within(happened - lost, happened)
  })

  it('never make a wrong name, where the agent is held up', async () => {
    const { happened, lost, verdict } = await weather({ name: 'held-up', args: [], records: some, heldUp: true })
    expect(violations(verdict)).to.be.within(happened - lost, happened)
  })

  it('never make a wrong name, where forks are not followed', async () => {
    const args = ['--audit-source', 'kmsg']
    const { happened, verdict } = await weather({ name: 'not-followed', args, records: some, alone: true })
    expect(violations(verdict)).to.be.within(1, happened)
  })
})
