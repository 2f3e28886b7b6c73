import { expect } from 'chai'
import type { VarmorPolicy } from '../../src/api/types.ts'
import { eventually } from '../cluster/wait.ts'
import { apply, applyWorkload, findProfile, remove } from './hands.ts'
import { enabled, policy, workload } from './samples.ts'
import type { Part } from './suite.ts'

/** Rules about Pods and Services, whose addresses managers watch. The in-memory API server has no EndpointSlices. */
export const egress: Part = (world) =>
  it('has the addresses of the Pods and Services that rules are about', async () => {
    const namespace = await world().namespace('egress')
    await applyWorkload(world(), workload(namespace, 'db', { labels: enabled }))
    const made = policy(namespace, 'web', { enforcer: 'BPF' }) as VarmorPolicy
    const network = {
      egress: {
        toPods: [{ podSelector: { matchLabels: { name: 'db' } } }],
        toServices: [{ namespace: 'default', name: 'kubernetes' }],
      },
    }
    Object.assign(made.spec.policy, { enhanceProtect: { bpfRawRules: { network } } })
    await apply(world(), made)
    const addresses = await eventually('the addresses', async () => {
      const { status } = (await findProfile(world(), made)) ?? {}
      const found = status?.egress?.flatMap(({ groups }) => groups.flatMap((group) => group.addresses)) ?? []
      return found.length > 1 && found
    })
    expect(addresses).to.include('10.96.0.1')
    await remove(world(), made)
  })
