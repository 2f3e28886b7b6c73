import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { container, word } from '../../../src/enforcer/bpf/layout.ts'
import { kernelError } from '../../../src/enforcer/bpf/state.ts'
import type { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { contentDigest } from '../../../src/enforcer/ports.ts'
import { loaderContract, thrownBy } from '../loader-contract.ts'
import { enforcerWorld, idOf, web } from './enforcer-world.ts'
import { FakeKernel, fakeEncoder, slots } from './fake-kernel.ts'

class Killed extends Error {}

describe('the BPF enforcer', () => {
  const world = enforcerWorld()
  const { open, inForce, stateOf } = world

  describe('as every loader', () => {
    const more = { ...fakeEncoder, slots: 64, tables: 64 }
    loaderContract(async () => {
      const enforcer = await open({ encoder: more })
      const slotOf = (name: string) =>
        Array.from({ length: more.slots }, (_, slot) => slot).find((slot) =>
          Buffer.from(world.kernel.get(world.kernel.open(enforcer.folder), 'varmor_records', word(slot))!).includes(
            `${name}\0`,
          ),
        )!
      const profiles = () => stateOf(enforcer).maps.get('varmor_profiles')!
      const keyOf = (name: string) => Buffer.from(word(slotOf(name))).toString('hex')
      await enforcer.add({ id: idOf('c'), profile: web })
      return {
        loader: enforcer,
        content: (_name, number) => `rules ${number}`,
        lose: (name) => profiles().delete(keyOf(name)),
        damage: (name) => profiles().set(keyOf(name), word(999)),
        inForce: (name) => {
          const number = enforcer.numberOf(idOf(name)) ?? enforcer.numberOf(idOf('c'))!
          if (name !== web)
            world.kernel.swap(
              world.kernel.open(enforcer.folder),
              'varmor_containers',
              number * container.size,
              -1,
              slotOf(name) ?? 0,
            )
          return world.kernel.inForce(enforcer.folder, number)
        },
      }
    })
  })

  it('has a container run in its profile, whichever of the two comes first', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    expect(inForce(enforcer, 'a')).to.equal(undefined)
    await enforcer.load(web, 'one')
    await enforcer.add({ id: idOf('b'), profile: web })
    expect([inForce(enforcer, 'a'), inForce(enforcer, 'b')]).to.deep.equal(['one', 'one'])
    await enforcer.unload(web)
    expect([inForce(enforcer, 'a'), inForce(enforcer, 'b')]).to.deep.equal([undefined, undefined])
    expect(world.kernel.filled).to.equal(0)
  })

  it('says where its programs are in force while all programs are attached', async () => {
    const enforcer = await open()
    expect(enforcer.inForce).to.equal(enforcer.folder)
    stateOf(enforcer).links--
    expect(enforcer.inForce).to.equal(undefined)
  })

  it('has programs hold records back beyond a rate, or no longer, though they are in force already', async () => {
    const rateOf = (enforcer: BpfEnforcer) =>
      new BigUint64Array(Uint8Array.from(stateOf(enforcer).maps.get('varmor_rate')!.get('00000000')!).buffer)
    const first = await open({ recordsRate: { rate: 0.001, burst: 999_999 } })
    expect([...rateOf(first)]).to.deep.equal([10n ** 12n, 999_999n * 10n ** 12n])
    const next = await open({ recordsRate: { rate: 1_000, burst: 5 } })
    expect(next.folder).to.equal(first.folder)
    expect([...rateOf(next)]).to.deep.equal([10n ** 6n, 5n * 10n ** 6n])
    expect([...rateOf(await open())]).to.deep.equal([0n, 0n])
  })

  it('replaces a profile at once: at each step a container has the old or the new one', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'rules 0')
    const seen = new Set<string | undefined>()
    for (let i = 1; i <= 3 * slots; i++) {
      world.kernel.onStep = () => seen.add(inForce(enforcer, 'a'))
      await enforcer.load(web, `rules ${i}`)
      world.kernel.onStep = () => undefined
      expect([...seen].every((one) => one === `rules ${i - 1}` || one === `rules ${i}`)).to.equal(true)
      expect(inForce(enforcer, 'a')).to.equal(`rules ${i}`)
      seen.clear()
    }
    expect(world.kernel.filled).to.equal(3)
  })

  it('has other addresses at once, and writes nothing else for them', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one@a')
    const steps: string[] = []
    const seen = new Set<string | undefined>()
    world.kernel.onStep = (step) => {
      steps.push(step)
      seen.add(inForce(enforcer, 'a'))
    }
    await enforcer.load(web, 'one@b')
    await enforcer.load(web, 'one@c')
    world.kernel.onStep = () => undefined
    expect([...seen]).to.deep.equal(['one@a', 'one@b', 'one@c'])
    const written = new Set(steps.filter((step) => /^(write|swap)/.test(step)))
    expect([...written]).to.deep.equal(['write varmor_records', 'write varmor_v4', 'write varmor_profiles'])
    expect([inForce(enforcer, 'a'), world.kernel.filled]).to.deep.equal(['one@c', 3])
    expect(await enforcer.list()).to.deep.equal(new Map([[web, contentDigest('one@c')]]))
  })

  it('keeps the addresses in force when the kernel refuses others', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one@a')
    for (const refused of ['varmor_v4', 'varmor_profiles']) {
      world.kernel.onStep = (step) => {
        if (step === `write ${refused}`) throw Object.assign(new Error('no'), { step, errno: 28 })
      }
      expect(await thrownBy(enforcer.load(web, 'one@b'))).to.be.instanceOf(EnforcerError)
      world.kernel.onStep = () => undefined
      expect([inForce(enforcer, 'a'), world.kernel.filled]).to.deep.equal(['one@a', 3])
      expect(await enforcer.list()).to.deep.equal(new Map([[web, contentDigest('one@a')]]))
    }
    await enforcer.load(web, 'one@b')
    expect([inForce(enforcer, 'a'), world.kernel.filled]).to.deep.equal(['one@b', 3])
  })

  it('goes on after a kill at any step: what is in force stays, and all is as wanted in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ load: fc.constantFrom('one', 'one@a', 'one@b', 'two', 'two@a', ''), kill: fc.nat(40) }), {
          maxLength: 6,
        }),
        async (runs) => {
          world.kernel = new FakeKernel()
          rmSync(join(world.folder, 'root'), { recursive: true, force: true })
          /**
           * Profiles that may be in force: the last completely loaded profile, and all profiles whose load started
           * after it.
           */
          let possible: (string | undefined)[] = [undefined]
          const first = await open()
          await first.add({ id: idOf('a'), profile: web })
          const number = first.numberOf(idOf('a'))!
          for (const { load, kill } of runs) {
            let left = kill
            world.kernel.onStep = () => {
              if (left-- === 0) throw new Killed()
            }
            const wanted = load === '' ? undefined : load
            possible.push(wanted)
            try {
              const enforcer = await open()
              await enforcer.add({ id: idOf('a'), profile: web })
              await (wanted === undefined ? enforcer.unload(web) : enforcer.load(web, wanted))
              possible = [wanted]
            } catch (error) {
              if (!(error instanceof Killed)) throw error
            }
            world.kernel.onStep = () => undefined
            expect(possible).to.include(world.kernel.inForce(first.folder, number))
          }
          const last = await open()
          await last.add({ id: idOf('a'), profile: web })
          await last.load(web, 'last')
          expect(inForce(last, 'a')).to.equal('last')
          expect(world.kernel.filled).to.equal(3)
          expect(await last.list()).to.deep.equal(new Map([[web, contentDigest('last')]]))
        },
      ),
      { numRuns: 300 },
    )
  })

  it("keeps the addresses of a container's pod, one that stays at each step, until its number is another's", async () => {
    const entries = (): string[] =>
      [...(world.kernel.folders.get(enforcer.folder)!.maps.get('varmor_v6') ?? new Map()).keys()].map((key) => {
        const bytes = Buffer.from(key, 'hex')
        return `${bytes.readUInt32LE(0)} ${bytes.subarray(4)}`
      })
    let enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web, addresses: ['10.0.0.1', '10.0.0.2'] })
    const number = enforcer.numberOf(idOf('a'))!
    const of = (...addresses: string[]) => addresses.map((address) => `${number} ${address}`)
    expect(entries()).to.have.members(of('10.0.0.1', '10.0.0.2'))
    world.kernel.onStep = () => expect(entries()).to.include(of('10.0.0.2')[0])
    await enforcer.add({ id: idOf('a'), profile: web, addresses: ['10.0.0.2', '10.0.0.3'] })
    await enforcer.add({ id: idOf('a'), profile: web })
    world.kernel.onStep = () => undefined
    expect(entries(), 'they stay if no other addresses are given').to.have.members(of('10.0.0.2', '10.0.0.3'))
    enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web, addresses: ['10.0.0.3'] })
    expect(entries(), 'what another agent wrote is known').to.deep.equal(of('10.0.0.3'))
    await enforcer.remove(idOf('a'))
    expect(entries(), 'a task may live on').to.deep.equal(of('10.0.0.3'))
    await enforcer.find()
    expect(entries()).to.deep.equal([])
  })

  it('leaves the kernel alone for a content that is none', async () => {
    const refusing = { ...fakeEncoder, read: () => expect.fail('no rules') }
    const enforcer = await open({ encoder: refusing })
    const steps: string[] = []
    world.kernel.onStep = (step) => void steps.push(step)
    expect((await enforcer.load(web, 'x').catch((error: Error) => error))?.message).to.equal('no rules')
    expect(steps.filter((step) => step.startsWith('write'))).to.deep.equal([])
  })

  it('says when there is no place for a profile, and has one again when another is unloaded', async () => {
    const enforcer = await open()
    for (let i = 1; i < slots - 1; i++) await enforcer.load(`varmor-demo-p${i}`, 'x')
    expect((await thrownBy(enforcer.load(web, 'x'))).reason).to.contain(`all ${slots - 2} places`)
    await enforcer.unload('varmor-demo-p3')
    await enforcer.load(web, 'x')
    expect((await enforcer.list()).size).to.equal(slots - 2)
  })

  it('gives no number of a profile again, also after a restart: records of what is gone may be unread', async () => {
    const given = new Set<number>()
    for (let i = 0; i < 5; i++) {
      const enforcer = await open()
      await enforcer.load(`varmor-demo-p${i}`, 'x')
      given.add(enforcer.idOf(`varmor-demo-p${i}`)!)
      await enforcer.unload(`varmor-demo-p${i}`)
    }
    expect(given.size).to.equal(5)
  })

  it('has loaded a profile though what it replaces cannot be removed yet, and says so with the next one if it still cannot', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one')
    world.kernel.onStep = (step) => {
      if (step === 'remove from varmor_v4') throw Object.assign(new Error('no'), { step, errno: 12, log: '' })
    }
    await enforcer.load(web, 'two')
    expect(inForce(enforcer, 'a')).to.equal('two')
    expect((await thrownBy(enforcer.load(web, 'three'))).reason).to.contain('ENOMEM')
    expect(inForce(enforcer, 'a')).to.equal('two')
    world.kernel.onStep = () => undefined
    await enforcer.load(web, 'three')
    expect(inForce(enforcer, 'a')).to.equal('three')
    expect(world.kernel.filled).to.equal(3)
  })

  it('has one table for profiles of equal rules, which goes with the last of them, also after a restart', async () => {
    const first = await open()
    for (const name of ['a', 'b']) await first.load(`varmor-demo-${name}`, `equal@${name}`)
    await first.load(web, 'other@c')
    const tables = () => stateOf(first).maps.get('varmor_small_tables')!
    expect(tables().size).to.equal(2)
    await first.unload('varmor-demo-a')
    expect(tables().size).to.equal(2)

    const second = await open()
    await second.add({ id: idOf('b'), profile: 'varmor-demo-b' })
    expect(inForce(second, 'b')).to.equal('equal@b')
    // An agent does not read the profiles of another agent, so it writes the profile again.
    await second.load('varmor-demo-d', 'equal@d')
    expect(tables().size).to.equal(3)
    await second.unload('varmor-demo-b')
    await second.unload(web)
    expect(tables().size).to.equal(1)
    await second.load('varmor-demo-e', 'equal@e')
    expect(tables().size).to.equal(1)
    for (const name of ['d', 'e']) await second.unload(`varmor-demo-${name}`)
    expect(world.kernel.filled).to.equal(0)
  })

  it('keeps what is in force when the kernel refuses what would take its place', async () => {
    const enforcer = await open()
    await enforcer.add({ id: idOf('a'), profile: web })
    await enforcer.load(web, 'one')
    world.kernel.onStep = (step) => {
      if (step === 'write varmor_v4')
        throw Object.assign(new Error('no'), { step: 'write varmor_v4', errno: 28, log: '' })
    }
    const error = await thrownBy(enforcer.load(web, 'two'))
    expect(error).to.be.instanceOf(EnforcerError).and.include({ code: 'KERNEL_REFUSED' })
    expect(error.reason).to.contain('ENOSPC')
    world.kernel.onStep = () => undefined
    expect(inForce(enforcer, 'a')).to.equal('one')
    expect(world.kernel.filled).to.equal(3)
  })

  it('goes with all that it holds when it is asked to', async () => {
    const enforcer = await open()
    await enforcer.load(web, 'one')
    await enforcer.end()
    expect(world.kernel.folders.size).to.equal(0)
    expect(existsSync(dirname(enforcer.folder))).to.equal(false)
  })

  it('says which hooks the kernel lacks, and why programs cannot be loaded', async () => {
    expect((await open()).absent).to.deep.equal(['lsm/new_hook'])
    const log = `${'x\n'.repeat(100)}last line of the verifier\n`
    world.kernel.onStep = () => {
      throw Object.assign(new Error('Permission denied'), { step: 'load the programs', errno: 13, log })
    }
    const { reason } = await thrownBy(open())
    expect(reason).to.contain('EACCES').and.to.contain('last line of the verifier')
    expect(reason.length).to.be.below(400)
    world.kernel.onStep = (step) => {
      throw Object.assign(new Error('Operation not permitted'), { step, errno: 1 })
    }
    expect((await thrownBy(open())).reason).to.contain('EPERM; the agent needs the capabilities BPF and PERFMON')
    expect((await thrownBy(open({ object: join(world.folder, 'none') }))).reason).to.contain('npm run build:bpf')
  })

  it('names the limit of locked memory where that may be why the kernel says no', () => {
    const refused = Object.assign(new Error('Operation not permitted'), { step: 'load the programs', errno: 1 })
    for (const kernel of ['5.10.0-33-amd64', '4.18.0', '5.11.0', '6.1.0-9-amd64', '6.12.117+deb12-cloud-amd64']) {
      const { reason } = kernelError('load the BPF programs', refused, kernel)
      const named = ['5.10.0-33-amd64', '4.18.0'].includes(kernel)
      expect(reason.includes(`Linux ${kernel}`), reason).to.equal(named)
      expect(reason.includes('LimitMEMLOCK=infinity'), reason).to.equal(named)
      expect(reason).to.contain('a kernel that is not locked down')
    }
  })
})
