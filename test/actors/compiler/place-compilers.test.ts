import { expect } from 'chai'
import { judgePolicy } from '../../../actors/compiler/judge.ts'
import { type PlacedCompilers, placeCompilers } from '../../../actors/compiler/place-compilers.ts'
import { CompilerError } from '../../../actors/compiler/ports.ts'
import type { AnyPolicy } from '../../../src/api/types.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { compilePolicy } from '../../../src/profile/compile.ts'
import { policy } from '../../manager/made-up.ts'
import { asRun } from '../../run/as-run.ts'

const named = (name: string, namespace = 'demo'): AnyPolicy => policy({ name, namespace })

/** Timeouts that even a slow machine does not exceed, for tests that expect no timeout. */
const patient = { deadline: 600_000, maxWait: 600_000 }
const hostile = asRun('./hostile-thread.ts', import.meta.url)

describe('compilers on threads', () => {
  let compilers: PlacedCompilers

  afterEach(() => compilers.stop())

  const compile = (object: AnyPolicy) =>
    compilers.run('compilePolicy', [object, {}], {
      tenant: object.metadata.namespace ?? '',
      urgent: true,
      subject: object.metadata.name,
    })
  const codeOf = (run: Promise<unknown>): Promise<unknown> =>
    run.then(
      () => 'answered',
      (error) => (error instanceof CompilerError ? error.code : error.name),
    )

  it('give the same results as compilers without threads', async () => {
    compilers = placeCompilers({ logger: noLogger, ...patient })
    expect(await compile(named('web'))).to.deep.equal(compilePolicy(named('web'), {}))
    const bad = { ...named('web'), spec: {} } as AnyPolicy
    expect(await compile(bad)).to.deep.equal(compilePolicy(bad, {}))
  })

  it('compile a plain policy at once, without a thread', async () => {
    const jobs: string[] = []
    const observe = (outcome: string): void => void jobs.push(outcome)
    compilers = placeCompilers({ logger: noLogger, ...patient, threads: 0, plainAtOnce: true, observe })
    const options = { installNamespace: 'varmor', egressControl: { pods: false, services: true } }
    const asked = { tenant: 'demo', urgent: true, subject: '' }
    for (const object of [named('web'), policy({ enforcer: 'nothing' })]) {
      const judged = await compilers.run('judgePolicy', [object, undefined, options], asked)
      expect(judged).to.deep.equal(judgePolicy(object, undefined, options))
    }
    expect(jobs).to.deep.equal(['done', 'done'])
  })

  it('end a thread that spins, and still answer other jobs', async () => {
    compilers = placeCompilers({ logger: noLogger, ...patient, deadline: 500, threads: 1, module: hostile })
    expect(await codeOf(compile(named('first')))).to.equal('answered')
    const answers = await Promise.all([
      codeOf(compile(named('spins', 'hostile'))),
      ...['a', 'b', 'c'].map((name) => codeOf(compile(named(name, name)))),
    ])
    expect(answers).to.deep.equal(['TOO_COSTLY', 'answered', 'answered', 'answered'])
    expect(await codeOf(compile(named('spins', 'other')))).to.equal('TOO_COSTLY')
  })

  it('use no more memory for a policy than its limit', async () => {
    const warnings: object[] = []
    const logger = { ...noLogger, warn: (fields: object) => void warnings.push(fields) }
    compilers = placeCompilers({ ...patient, logger, threads: 1, module: hostile })
    expect(await codeOf(compile(named('fills')))).to.equal('TOO_COSTLY')
    expect(await codeOf(compile(named('web', 'other')))).to.equal('answered')
    const [warning] = warnings.filter((fields) => 'durationMs' in fields) as [{ durationMs: number }]
    expect(warning).to.include({ job: 'compilePolicy', namespace: 'demo' })
    expect(warning.durationMs).to.be.within(0, patient.deadline)
  })

  it('pass on the error that a compiler throws, and continue at once', async () => {
    compilers = placeCompilers({ logger: noLogger, ...patient, threads: 1, module: hostile })
    for (let i = 0; i < 20; i++) expect(await codeOf(compile(named('throws')))).to.equal('RangeError')
    expect(await codeOf(compile(named('web')))).to.equal('answered')
  })

  it('stop while a thread spins', async () => {
    compilers = placeCompilers({ logger: noLogger, ...patient, module: hostile })
    await compile(named('web'))
    await compile(named('web', 'other'))
    const spinning = codeOf(compile(named('spins')))
    // The other thread answers this call, long after the first thread has started to spin.
    await compile(named('again', 'other'))
    await compilers.stop()
    expect(await spinning).to.equal('STOPPED')
  })
})
