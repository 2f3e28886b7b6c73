import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import type { Origin } from '../../../../actors/runtime/origin.ts'
import { Link } from '../../../../actors/runtime/placement/link.ts'
import { type Batch, itemsOf, op } from '../../../../actors/runtime/placement/protocol.ts'
import { RemoteReference } from '../../../../actors/runtime/placement/remote-reference.ts'
import { AnyReference } from '../../../../actors/runtime/reference.ts'
import { ActorSystem } from '../../../../actors/runtime/system.ts'

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** Two links whose batches are copied from one to the other, as between threads. */
function connected() {
  const { environment } = new ActorSystem({ logger: quiet })
  const arrived: string[] = []
  const numbers: number[] = []
  class Arrival extends AnyReference {
    override readonly address: string
    override readonly stale = false
    constructor(address: string) {
      super(environment.deadlines)
      this.address = address
    }
    override deliver(message: unknown, _: Origin | undefined): boolean {
      arrived.push(`${this.address} ${(message as { i: number }).i}`)
      return true
    }
  }
  const link = (name: string): Link =>
    new Link({ name, environment, limit: 1_000_000, resolve: (address) => new Arrival(address) })
  const [near, far] = [link('near'), link('far')]
  near.attach({
    postMessage: (batch: Batch) => {
      for (const [operation, number] of itemsOf(batch)) if (operation === op.address) numbers.push(Number(number))
      far.receive(structuredClone(batch))
    },
  })
  far.attach({ postMessage: (batch: Batch) => near.receive(structuredClone(batch)) })
  const refer = (address: string) =>
    new RemoteReference<{ type: string; i: number }>(near, address, environment.deadlines)
  return { refer, arrived, numbers }
}

describe('addresses of a link', () => {
  it('have 32,768 numbers and those of a batch, which are used again for other addresses', async () => {
    const { refer, arrived, numbers } = connected()
    const early = refer('modeller/early')
    const sent: string[] = []
    const send = (to: ReturnType<typeof refer>, i: number): void => {
      sent.push(`${to.address} ${i}`)
      to.tell({ type: 'found', i })
    }
    for (let i = 0; i < 100_000; i++) {
      send(refer(`modeller/demo/${i}`), i)
      if (i % 100 === 0) send(early, i)
    }
    await setImmediate()
    expect(arrived.length).to.equal(sent.length)
    expect(arrived.findIndex((one, at) => one !== sent[at])).to.equal(-1)
    expect(Math.max(...numbers.slice(0, 50_000))).to.be.within(32_767, 32_768 + 1_024)
    expect(Math.max(...numbers.slice(50_000))).to.be.within(32_767, 32_768 + 1_024)
  }).timeout(300_000)
})
