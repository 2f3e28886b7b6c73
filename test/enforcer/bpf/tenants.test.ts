import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import type { ProfileEncoder } from '../../../src/enforcer/bpf/profile-encoder.ts'
import type { Claim } from '../../../src/enforcer/bpf/shares.ts'
import type { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import type { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { thrownBy } from '../loader-contract.ts'
import { enforcerWorld } from './enforcer-world.ts'
import { addressRoom, FakeKernel, fakeEncoder } from './fake-kernel.ts'

describe('the places of the BPF enforcer', () => {
  const world = enforcerWorld()
  const { open } = world

  describe('of a node with tenants', () => {
    // Two of 8 slots are reserved for cluster policies. Each namespace may have 3 of the other slots.
    const eight = { ...fakeEncoder, slots: 10, tables: 10 }
    const claims = new Map<string, Claim>()
    beforeEach(() => claims.clear())

    const openShared = (): Promise<BpfEnforcer> => open({ encoder: eight, claims: () => claims })
    const want = (namespace: string, name: string): string => {
      const profile = `varmor-${namespace || 'cluster'}-${name}`
      claims.set(profile, { namespace, since: String(claims.size).padStart(4, '0') })
      return profile
    }
    const names = async (enforcer: BpfEnforcer): Promise<string[]> => [...(await enforcer.list()).keys()].sort()

    it('lets one namespace have no more than its share of the places, whatever is wanted there', async () => {
      const enforcer = await openShared()
      const victim = want('demo', 'web')
      await enforcer.load(victim, 'x')
      const many = Array.from({ length: 20 }, (_, i) => want('evil', `${i}`.padStart(2, '0')))
      for (const name of many.slice(0, 3)) await enforcer.load(name, 'x')
      for (const name of many.slice(3)) {
        const error = await thrownBy(enforcer.load(name, 'x'))
        expect(error).to.include({ code: 'KERNEL_REFUSED', retryable: true })
        expect(error.reason).to.match(
          /older policies of namespace evil use all 3 of the 8 places .*remove .*--bpf-profiles/,
        )
      }
      for (const name of ['1', '2', '3']) await enforcer.load(want('', name), 'x')
      await enforcer.load(many[0]!, 'changed')
      await enforcer.load(want('demo', 'more'), 'x')
      expect(await names(enforcer)).to.include.members([victim, ...many.slice(0, 3), 'varmor-cluster-3'])

      await enforcer.unload(many[1]!)
      claims.delete(many[1]!)
      expect((await thrownBy(enforcer.load(many[19]!, 'x'))).reason).to.contain('older')
      await enforcer.load(many[3]!, 'x')
    })

    it('keeps places for cluster policies, whatever tenants use', async () => {
      const enforcer = await openShared()
      for (const namespace of ['a', 'b'])
        for (const name of ['1', '2', '3']) await enforcer.load(want(namespace, name), 'x')
      expect((await thrownBy(enforcer.load(want('c', '1'), 'x'))).reason).to.match(/use all 6 of the 8 places/)
      for (const name of ['1', '2']) await enforcer.load(want('', name), 'x')
      expect((await thrownBy(enforcer.load(want('', '3'), 'x'))).reason).to.match(/all 8 places/)
    })

    it('has the oldest profiles of a namespace after a reboot, in whatever order they are loaded', async () => {
      const many = Array.from({ length: 9 }, (_, i) => want('evil', `${i}`))
      const demo = want('demo', 'web')
      const order = fc.shuffledSubarray([demo, ...many], { minLength: 10 })
      await fc.assert(
        fc.asyncProperty(order, async (names) => {
          world.kernel = new FakeKernel()
          rmSync(join(world.folder, 'root'), { recursive: true, force: true })
          const enforcer = await openShared()
          await enforcer.expect(new Set(names))
          for (const name of names) await enforcer.load(name, 'x').catch(() => undefined)
          expect(new Set((await enforcer.list()).keys())).to.deep.equal(new Set([demo, ...many.slice(0, 3)]))
        }),
        { numRuns: 20 },
      )
    })

    it('counts what was loaded before its start for all, until it is known whose it is', async () => {
      const first = await openShared()
      for (const name of ['1', '2', '3']) await first.load(want('evil', name), 'x')
      const before = new Map(claims)
      claims.clear()
      const next = await openShared()
      const other = want('demo', 'web')
      // With this many profiles a namespace may have reached its quota.
      for (const name of ['a', 'b']) want('demo', name)
      expect(await thrownBy(next.load(other, 'x'))).to.include({ retryable: true })
      for (const [name, claim] of before) claims.set(name, claim)
      await next.expect(new Set(claims.keys()))
      await next.load(other, 'x')
      expect((await thrownBy(next.load(want('evil', '4'), 'x'))).reason).to.contain('namespace evil')
    })

    it('lets one namespace have no more than its share of addresses and ports, and another its own, whatever the first does', async () => {
      // 20 of 80 slots are reserved for cluster policies. Each namespace may have 30 of the other slots.
      const large: ProfileEncoder = {
        ...{ ...fakeEncoder, slots: 64, tables: 64 },
        rooms: [addressRoom(80)],
        read: (content) => ({ ...fakeEncoder.read(content), entries: [Number(content.split('@')[1] ?? 0)] }),
      }
      const evil = fc.record({ name: fc.nat(9), entries: fc.option(fc.nat(20)), rest: fc.constantFrom('x', 'y') })
      let refused = 0
      await fc.assert(
        fc.asyncProperty(fc.array(evil, { maxLength: 20 }), fc.integer({ min: 1, max: 30 }), async (steps, own) => {
          world.kernel = new FakeKernel()
          rmSync(join(world.folder, 'root'), { recursive: true, force: true })
          const enforcer = await open({ encoder: large, claims: () => claims })
          for (let i = 0; i < 10; i++) claims.set(`varmor-evil-${i}`, { namespace: 'evil', since: `${i}` })
          const held = new Map<string, number>()
          const sum = (): number => [...held.values()].reduce((all, one) => all + one, 0)
          for (const { name: i, entries, rest } of steps) {
            const name = `varmor-evil-${i}`
            if (entries === null) {
              await enforcer.unload(name)
              held.delete(name)
              continue
            }
            const before = held.get(name) ?? 0
            const fits = entries <= before || sum() - before + entries <= 30
            const error = await enforcer.load(name, `${rest}@${entries}`).then(
              () => undefined,
              (one: EnforcerError) => one,
            )
            if (fits) held.set(name, entries)
            else {
              refused++
              expect(error?.reason).to.match(/the policies of namespace evil may have 30 addresses on this node/)
              expect(error?.retryable).to.equal(true)
            }
            expect(error === undefined).to.equal(fits)
          }
          for (const [namespace, amount] of [
            ['demo', own],
            ['', 20],
          ] as const)
            await enforcer.load(want(namespace, 'web'), `x@${amount}`)
        }),
        { numRuns: 50 },
      )
      expect(refused).to.be.above(0)
    })

    it('counts addresses and ports of what was loaded before its start', async () => {
      const encoder = { ...eight, rooms: [addressRoom(5)] }
      const first = await open({ encoder, claims: () => claims })
      for (const name of ['1', '2']) await first.load(want('evil', name), 'x')
      const next = await open({ encoder, claims: () => claims })
      await next.load('varmor-evil-1', 'changed')
      expect((await thrownBy(next.load(want('evil', '3'), 'x'))).reason).to.match(/evil may have 2 addresses/)
      await next.load(want('demo', 'web'), 'x')
      await next.unload('varmor-evil-2')
      await next.load('varmor-evil-3', 'x')
    })

    // A profile takes 1 KiB, and a table 10 KiB. Of 80 KiB, 20 are reserved for cluster policies; each namespace may
    // have 30 of the rest.
    const ofMemory: ProfileEncoder = {
      ...{ ...fakeEncoder, slots: 64, tables: 16 },
      rooms: [{ what: 'KiB', all: 80, remedy: 'give --more', ofProfile: () => 1, ofTable: () => 10 }],
    }
    const openSmall = (): Promise<BpfEnforcer> => open({ encoder: ofMemory, claims: () => claims })

    it('lets one namespace have no more than its share of memory, in which a table counts once, and another its own', async () => {
      const step = fc.record({ name: fc.nat(9), rest: fc.option(fc.constantFrom('p', 'q', 'r', 's')) })
      let refused = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          world.kernel = new FakeKernel()
          rmSync(join(world.folder, 'root'), { recursive: true, force: true })
          const enforcer = await openSmall()
          for (let i = 0; i < 10; i++) claims.set(`varmor-evil-${i}`, { namespace: 'evil', since: `${i}` })
          let held = new Map<string, string>()
          const sumOf = (all: typeof held): number => all.size + 10 * new Set(all.values()).size
          for (const { name: i, rest } of steps) {
            const name = `varmor-evil-${i}`
            if (rest === null) {
              await enforcer.unload(name)
              held.delete(name)
              continue
            }
            const then = new Map([...held, [name, rest]])
            if (sumOf(then) <= 30) {
              await enforcer.load(name, rest)
              held = then
              continue
            }
            refused++
            const error = await thrownBy(enforcer.load(name, rest))
            expect(error).to.include({ code: 'KERNEL_REFUSED', retryable: true })
            expect(error.reason).to.match(/namespace evil may have 30 KiB.*; with the 11 of .* give --more/)
          }
          for (const name of ['1', '2']) await enforcer.load(want('demo', name), `of demo ${name}`)
          for (const name of ['1', '2']) await enforcer.load(want('', name), `of all ${name}`)
        }),
        { numRuns: 50 },
      )
      expect(refused).to.be.above(0)
    })

    it('counts memory that was taken before its start, and has refused profiles take nothing', async () => {
      const first = await openSmall()
      for (const [name, rest] of ['p', 'q'].entries()) await first.load(want('evil', `${name}`), rest)
      const filled = world.kernel.filled
      for (const enforcer of [first, await openSmall()]) {
        const third = want('evil', 'third')
        for (let i = 0; i < 2 * ofMemory.tables; i++)
          expect((await thrownBy(enforcer.load(third, `r${i}`))).reason).to.match(/namespace evil/)
        expect(world.kernel.filled).to.equal(filled)
        // A new version that is no larger than the old version finds space.
        await enforcer.load('varmor-evil-0', 's')
        await enforcer.load(want('demo', 'web'), 'r')
        await enforcer.unload('varmor-demo-web')
      }
    })

    it('lets profiles that share a table have tables of their own only where there is room for these', async () => {
      const enforcer = await openSmall()
      for (const name of ['1', '2', '3']) await enforcer.load(want('evil', name), 'p')
      await enforcer.load('varmor-evil-1', 'q')
      expect((await thrownBy(enforcer.load('varmor-evil-2', 'r'))).reason).to.match(/evil may have 30 KiB/)
      expect(await enforcer.list()).to.include.all.keys('varmor-evil-2')
    })

    it('counts for its namespace what runs on without its policy', async () => {
      const enforcer = await openShared()
      for (const name of ['1', '2', '3']) await enforcer.load(want('evil', name), 'x')
      await enforcer.expect(new Set(claims.keys()))
      for (const name of [...claims.keys()]) await enforcer.free(name)
      claims.clear()
      for (const name of ['a', 'b']) want('demo', name)
      expect((await thrownBy(enforcer.load(want('evil', '4'), 'x'))).reason).to.contain('namespace evil')
      await enforcer.load('varmor-demo-a', 'x')
    })
  })
})
