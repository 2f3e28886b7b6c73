import { expect } from 'chai'
import { COSTLY_FOR } from '../../../actors/compiler/costly.ts'
import { CompilerError, type Compilers, compilerMessages } from '../../../actors/compiler/ports.ts'
import { askCompiler } from '../../../actors/policy/ask-compiler.ts'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import { ready, worldOf } from './policy-world.ts'
import { policySpec, START, type World } from './world.ts'

const AP = 'varmor-demo-web'

describe('a policy whose compiler', () => {
  /** The subject of each call to the compilers, in order. */
  let asked: string[]

  /** Compilers that answer unless a test makes them fail. */
  const compilers = (trouble: () => CompilerError['code'] | undefined): Compilers => ({
    async run(_, input, { tenant }) {
      asked.push(tenant)
      const code = trouble()
      if (code !== undefined) throw new CompilerError(code, compilerMessages[code](2))
      return desiredProfile(...(input as Parameters<typeof desiredProfile>)) as never
    },
  })

  beforeEach(() => {
    asked = []
  })

  it('gives up says so, once, and is compiled again when it changes or minutes have passed', async () => {
    let isHostile = true
    const compile = askCompiler(compilers(() => (isHostile ? 'TOO_COSTLY' : undefined)))
    const world = worldOf(1, { compile })
    const key = world.policy('web', policySpec())
    await world.runFor(60_000)
    expect(asked).to.deep.equal(['demo'])
    expect(world.getPolicy(key)?.status).to.deep.include({ phase: 'Error', ready: false })
    expect(world.condition(key, 'Created')).to.deep.include({ status: 'False', reason: 'TOO_COSTLY' })
    expect(world.condition(key, 'Created')?.message).to.match(/spec\.policy: .*more than 2 s.*fewer or simpler rules/)
    expect(world.condition(key, 'Ready')).to.deep.include({ status: 'False', reason: 'TOO_COSTLY' })
    expect(world.getProfile(AP)).to.equal(undefined)
    for (let i = 0; i < 20; i++) world.addNode(`more-${i}`)
    await world.runFor(60_000)
    expect(asked.length).to.equal(1)
    await world.runFor(COSTLY_FOR)
    expect(asked.length).to.equal(2)
    isHostile = false
    world.api.update(key, (policy) => {
      policy.spec = policySpec({ rules: ['disallow-umount'] })
    })
    await ready(world, key)
    expect(asked.length).to.equal(3)
  })

  it('is busy waits, and then is as any other', async () => {
    const until = 30_000
    const world: World = worldOf(1, {
      compile: askCompiler(compilers(() => (world.clock.now() - START < until ? 'BUSY' : undefined))),
    })
    const key = world.policy('web', policySpec())
    await world.runFor(until - 1_000)
    expect(world.getPolicy(key)?.status?.phase).not.to.equal('Error')
    await ready(world, key)
  })
})
