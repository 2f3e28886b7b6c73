import { expect } from 'chai'
import {
  mutatingName,
  mutatingWebhookConfigurations,
  validatingName,
  validatingWebhookConfigurations,
} from '../../src/manager/admission/webhook-configurations.ts'
import { eventually } from '../cluster/wait.ts'
import { asRun } from '../run/as-run.ts'
import { EmbeddedTarget } from './embedded-target.ts'
import { apply, conditionOf, findProfile, policyThat, ready, refusal } from './hands.ts'
import { discard } from './life.ts'
import { policy } from './samples.ts'
import { World } from './world.ts'

/** Compilers that policies with certain names can block, because no known policy blocks the real compilers. */
const module = asRun('../actors/compiler/hostile-thread.ts', import.meta.url)

describe('policies that are too costly to compile', () => {
  let target: EmbeddedTarget
  let world: World

  before(async () => {
    target = await EmbeddedTarget.start()
    world = await World.start(target, 1)
    await world.leading()
    await world.stopManager()
  })
  after(async () => {
    await world?.stop()
    await target?.stop()
  })

  it('are refused, or say so where they were stored already, and keep no other one waiting', async () => {
    const stored = policy(await world.namespace('stored'), 'spins', { rules: ['disallow-mount'] })
    // Stores a policy as if no webhook existed.
    await discard(world, mutatingWebhookConfigurations, { name: mutatingName })
    await discard(world, validatingWebhookConfigurations, { name: validatingName })
    await apply(world, stored)
    await world.startManager({ admission: { timeout: 30 }, compilers: { deadline: 1_000, module } })
    const found = await policyThat(world, stored, 'to be too costly', ({ status }) => status?.phase === 'Error')
    expect(conditionOf(found, 'Created')).to.include({ status: 'False', reason: 'TOO_COSTLY' })
    expect(conditionOf(found, 'Created')?.message).to.match(/spec\.policy: .* more than 1 s.* fewer or simpler rules/)
    expect(await findProfile(world, stored)).to.equal(undefined)

    const hostile = policy(await world.namespace('hostile'), 'spins', { rules: ['disallow-umount'] })
    const message = await eventually('the webhook to answer', async () => {
      const text = await refusal(apply(world, hostile))
      return /TOO_COSTLY/.test(text) && text
    })
    expect(message).to.match(/VarmorPolicy hostile[^ ]*\/spins has one error:\n- spec\.policy: this is TOO_COSTLY/)

    const good = policy(await world.namespace('good'), 'web', { rules: ['disallow-insmod'] })
    await apply(world, good)
    await ready(world, good)
  })
})
