import { expect } from 'chai'
import type { ViolationPipeline } from '../../../src/agent/violations/pipeline-restart.ts'
import { runUntilReplaced } from '../../../src/agent/violations/pipeline-restart.ts'
import { LogInDoubt } from '../../../src/audit/pipeline/pipeline.ts'
import { NotStored } from '../../../src/audit/sink/sink.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { turn } from '../../audit/manual-clock.ts'

const inDoubt = (): LogInDoubt => new LogInDoubt(new NotStored({ reason: 'EIO', problem: 'I/O error' }))

describe('a pipeline that restarts', () => {
  interface Started extends ViolationPipeline {
    end(error?: Error): void
    stopped: boolean
  }
  let started: Started[]
  const start = async (): Promise<Started> => {
    let end: Started['end'] = () => undefined
    const ended = new Promise<void>((resolve, reject) => {
      end = (error) => (error === undefined ? resolve() : reject(error))
    })
    const one: Started = {
      source: `source ${started.length}`,
      status: () => ({ source: one.source }),
      stop: () => {
        one.stopped = true
        end()
      },
      ...{ ended, end, stopped: false },
    }
    started.push(one)
    return one
  }
  const begin = async (): Promise<ViolationPipeline> => {
    const pipeline = await runUntilReplaced(start, noLogger)
    if ('why' in pipeline) throw new Error(pipeline.why)
    return pipeline
  }

  beforeEach(() => {
    started = []
  })

  it('reads again after a disk has not stored what was written, and is then the new one', async () => {
    const pipeline = await begin()
    for (const i of [0, 1]) {
      started[i]!.end(inDoubt())
      while (started.length < i + 2) await turn()
    }
    await turn()
    expect(pipeline.status()).to.deep.equal({ source: 'source 2' })
    pipeline.stop()
    await pipeline.ended
    expect(started.map(({ stopped }) => stopped)).to.deep.equal([false, false, true])
  })

  it('ends with any other error, and after it was stopped', async () => {
    const broken = await begin()
    started[0]!.end(new Error('broken for good'))
    expect(await broken.ended.catch(({ message }: Error) => message)).to.equal('broken for good')
    const stopped = await begin()
    stopped.stop()
    await stopped.ended
    expect(started).to.have.length(2)
  })

  it('has no source where there is none', async () => {
    const none = { why: 'no audit log', remedy: 'run auditd' }
    expect(await runUntilReplaced(async () => none, noLogger)).to.equal(none)
  })
})
