import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { denial } from '../pipeline-world.ts'
import { Agent, Node } from './killed-agents.ts'

interface Happening {
  records: number
  ringFull: number
  held: number
  /** Lines of the other source, and the losses before them. */
  lines: number
  lost: number
  pause: number
}

const happening = fc.record<Happening>({
  records: fc.nat(12),
  ringFull: fc.oneof(fc.constant(0), fc.nat(9)),
  held: fc.oneof(fc.constant(0), fc.nat(9)),
  lines: fc.nat(3),
  lost: fc.oneof(fc.constant(0), fc.nat(9)),
  pause: fc.constantFrom(0, 300, 1_300),
})

describe('agents that are killed, one after the other', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-killed-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  let run = 0

  /** @returns the node, and the number of steps of the agents that were not killed */
  async function live(happenings: readonly Happening[], kills: readonly number[], rate?: number) {
    const node = new Node(join(folder, `${run++}.json`))
    const sums = { records: 0, ringFull: 0, held: 0, lines: 0, lost: 0 }
    const left = [...kills]
    let agents = 0
    const start = async (): Promise<Agent> => {
      const agent = new Agent(node, left.shift() ?? Number.POSITIVE_INFINITY)
      await agent.start(agents++, rate, rate === undefined)
      return agent
    }
    let agent = await start()
    for (const { records, ringFull, held, lines, lost, pause } of happenings) {
      while (agent.dead) agent = await start()
      node.make(records)
      node.counters.ringFull += ringFull
      node.hold(held)
      if (rate === undefined && lines > 0) {
        const names = Array.from({ length: lines }, (_, i) => denial(`/${sums.lines + i}`))
        node.others.push({ text: names.join(''), lost })
        sums.lines += lines
        sums.lost += lost
      }
      sums.records += records
      sums.ringFull += ringFull
      sums.held += held
      await agent.pass(pause)
    }
    do {
      while (agent.dead) agent = await start()
      await agent.pass(2_500)
      if (!agent.dead) await agent.stop()
    } while (agent.dead)
    return { node, sums, steps: agent.steps }
  }

  function expectExact({ node, sums }: Awaited<ReturnType<typeof live>>, what: unknown): void {
    const { lines, distinct, ringLost, kmsgLost, heldBySink, heldByKernel } = node.said
    const about = JSON.stringify(what)
    expect({ all: distinct + heldBySink, ringLost, kmsgLost, heldByKernel }, about).to.deep.equal({
      all: sums.records + sums.lines,
      ringLost: sums.ringFull,
      kmsgLost: sums.lost,
      heldByKernel: sums.held,
    })
    // Only a file repeats lines after a restart, with the same ids.
    if (sums.lines === 0) expect(lines, about).to.equal(distinct)
  }

  const some: Happening[] = [
    { records: 9, ringFull: 7, held: 5, lines: 2, lost: 3, pause: 300 },
    { records: 12, ringFull: 0, held: 4, lines: 1, lost: 0, pause: 1_300 },
    { records: 2, ringFull: 5, held: 0, lines: 3, lost: 8, pause: 1_300 },
  ]
  for (const rate of [undefined, 3])
    it(`say all to the unit, whichever step each kill comes before${rate === undefined ? '' : ', and with a rate'}`, async () => {
      const { steps } = await live(some, [], rate)
      expect(steps).to.be.above(20)
      for (let kill = 0; kill < steps; kill++) expectExact(await live(some, [kill], rate), kill)
    })

  it('say all to the unit over any number of kills', async () => {
    const kills = fc.array(fc.nat(40), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(happening, { minLength: 1, maxLength: 6 }),
        kills,
        fc.constantFrom(undefined, 3),
        async (happenings, at, rate) => expectExact(await live(happenings, at, rate), [happenings, at, rate]),
      ),
      { numRuns: 60 },
    )
  })
})
