import { expect } from 'chai'
import fc from 'fast-check'
import { desiredProfile } from '../../../actors/policy/desired-profile.ts'
import { LARGEST_DOCUMENT } from '../../../actors/policy/document-size.ts'
import {
  MAX_UNWRITTEN,
  MAX_UNWRITTEN_OF_NAMESPACE,
  UnwrittenDocuments,
} from '../../../actors/policy/unwritten-documents.ts'
import { PortError, type ProfileDocument } from '../../../actors/ports.ts'
import { worldOf } from './policy-world.ts'
import { policySpec } from './world.ts'

const large = (bytes: number): ProfileDocument => ({ spec: { profile: { seccomp: 'x'.repeat(bytes) } } }) as never

describe('documents that wait for the API server', () => {
  it('take no more than the room of a namespace, and the room of all, whatever their sizes', () => {
    const size = fc.integer({ min: 0, max: LARGEST_DOCUMENT })
    const step = fc.record({ policy: fc.nat(60), namespace: fc.nat(6), size, drops: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const documents = new UnwrittenDocuments()
        const held = new Map<string, number>()
        for (const { policy, namespace, size, drops } of steps) {
          const key = `ns-${namespace}/${policy}`
          if (drops) documents.drop(key)
          else if (documents.take(key, `ns-${namespace}`, large(size))) {
            held.set(key, size)
            continue
          }
          held.delete(key)
          const own = [...held].filter(([one]) => one.startsWith(`ns-${namespace}/`))
          const sum = (sizes: number[]): number => sizes.reduce((all, one) => all + one, 0)
          expect(sum(own.map(([, bytes]) => bytes))).to.be.at.most(MAX_UNWRITTEN_OF_NAMESPACE)
          expect(documents.bytes).to.be.within(sum([...held.values()]), MAX_UNWRITTEN)
        }
        for (const key of held.keys()) documents.drop(key)
        expect(documents.bytes).to.equal(0)
      }),
      { numRuns: 20 },
    )
  })

  it('are a few of each namespace while it does not answer; the other policies are compiled when there is room', async () => {
    const compiled = new Map<string, number>()
    const world = worldOf(1, {
      compile: (...[policy, options]: Parameters<typeof desiredProfile>) => {
        const { namespace = '' } = policy.metadata
        compiled.set(namespace, (compiled.get(namespace) ?? 0) + 1)
        const desired = desiredProfile(policy, options)
        if (desired.ok && namespace === 'flood') desired.document.spec.profile.seccomp = 'x'.repeat(1_000_000)
        return desired
      },
    })
    let isOut = true
    const tried = new Set<string>()
    world.api.admit = ({ kind, metadata: { name } }) => {
      if (!isOut || kind !== 'ArmorProfile') return
      tried.add(name)
      throw new PortError('UNAVAILABLE', 'no connection')
    }
    const floods = Array.from({ length: 40 }, (_, i) => world.policy(`p-${i}`, policySpec(), 'flood'))
    const quiet = world.policy('quiet', policySpec(), 'quiet')
    await world.runFor(200_000)
    // Only a policy that holds a document tries to write it.
    expect(tried.size).to.equal(8 + 1)
    expect([...tried]).to.include('varmor-quiet-quiet')
    expect(Object.fromEntries(compiled)).to.deep.equal({ flood: 40, quiet: 1 })
    isOut = false
    const isReady = (key: string): boolean => world.getPolicy(key)?.status?.ready === true
    expect(await world.runUntil(() => [...floods, quiet].every(isReady), 900_000)).to.equal(true)
    expect(world.manager!.failures).to.deep.equal([])
    expect(Object.fromEntries(compiled)).to.deep.equal({ flood: 40 + 32, quiet: 1 })
  })
})
