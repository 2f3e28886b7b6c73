import { expect } from 'chai'
import { SimulatedClock } from '../../../actors/runtime/index.ts'
import { SupervisedPipeline } from '../../../src/agent/violations/supervised-pipeline.ts'
import type { ViolationPipeline } from '../../../src/agent/violations/violation-pipeline.ts'
import type { NoSource } from '../../../src/audit/source/choose-source.ts'
import { noLogger } from '../../../src/base/logger.ts'

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

class FakePipeline implements ViolationPipeline {
  readonly source = 'fake'
  stopped = false
  end: () => void = () => undefined
  break: (error: Error) => void = () => undefined
  readonly ended = new Promise<void>((resolve, reject) => {
    this.end = resolve
    this.break = reject
  })

  status(): object {
    return { read: 1 }
  }

  stop(): void {
    this.stopped = true
    this.end()
  }
}

const none: NoSource = { why: 'the kernel records nothing', remedy: 'start it otherwise' }

describe('the pipeline of an agent', () => {
  const setUp = (...starts: (FakePipeline | NoSource | Error)[]) => {
    const clock = new SimulatedClock()
    const said: string[] = []
    const say = (_context: object, message: string) => void said.push(message)
    let started = 0
    const kept = new SupervisedPipeline({
      clock,
      random: () => 0.5,
      logger: { ...noLogger, info: say, warn: say, error: say },
      start: async () => {
        const next = starts[started++]
        if (next instanceof Error) throw next
        return next ?? none
      },
    })
    return { clock, said, kept, started: () => started }
  }

  it('is tried again, less and less often, where there is no source; then it runs', async () => {
    const pipeline = new FakePipeline()
    const { clock, kept, started, said } = setUp(none, new Error('no addon'), pipeline)
    kept.start()
    await turns()
    expect([started(), kept.status, kept.none]).to.deep.equal([1, undefined, none])
    clock.advance(749)
    await turns()
    expect(started()).to.equal(1)
    clock.advance(1)
    await turns()
    expect(started()).to.equal(2)
    expect(said).to.include('violations are not reported')
    expect(kept.none?.why).to.contain('no addon')
    clock.advance(1_500)
    await turns()
    expect([kept.status, kept.none]).to.deep.equal([{ read: 1 }, undefined])
    expect(said.at(-1)).to.equal('violations are followed')
    await kept.stop()
    expect(pipeline.stopped).to.equal(true)
    expect(clock.timers).to.equal(0)
  })

  it('is started again after its source failed', async () => {
    const [first, second] = [new FakePipeline(), new FakePipeline()]
    const { clock, kept, said } = setUp(first, second)
    kept.start()
    await turns()
    first.break(new Error('the disk is gone'))
    await turns()
    expect(kept.status).to.equal(undefined)
    expect(said.at(-1)).to.match(/retrying/)
    clock.advance(1_000)
    await turns()
    expect(kept.status).to.deep.equal({ read: 1 })
    await kept.stop()
    expect(second.stopped).to.equal(true)
  })

  it('can be stopped while it waits', async () => {
    const { clock, kept, started } = setUp(none)
    kept.start()
    await turns()
    await kept.stop()
    expect([started(), clock.timers]).to.deep.equal([1, 0])
  })
})
