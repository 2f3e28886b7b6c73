import { expect } from 'chai'
import { numberIn } from '../../../src/base/c-struct.ts'
import { container, settings, word } from '../../../src/enforcer/bpf/layout.ts'
import type { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { enforcerWorld, idOf, web } from './enforcer-world.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('what the programs and their iterator write into maps, while the agent writes beside it,', () => {
  const world = enforcerWorld()
  const { open, stateOf } = world

  /** The value of an entry, which has zeros until something is written. */
  const entryOf = (enforcer: BpfEnforcer, map: string, key: number, size: number): Buffer =>
    Buffer.from(
      stateOf(enforcer)
        .maps.get(map)
        ?.get(hex(word(key))) ?? new Uint8Array(size),
    )

  const put = (enforcer: BpfEnforcer, map: string, key: number, value: Buffer): void => {
    stateOf(enforcer)
      .maps.get(map)!
      .set(hex(word(key)), value)
  }

  /** Writes just before each write of the agent, thus after all that the agent has read for it. */
  const beforeWrites = (map: string, write: () => void): void => {
    world.kernel.onStep = (step) => {
      if (step === `write ${map}` || step === `swap ${map}`) write()
    }
  }

  it('stays in the settings: how deep the root of the node lies', async () => {
    const enforcer = await open({ strictStart: 1 })
    let level = 0
    beforeWrites('varmor_settings', () => {
      const value = entryOf(enforcer, 'varmor_settings', 0, settings.size)
      value.writeUInt32LE(++level, settings.at.root_level)
      put(enforcer, 'varmor_settings', 0, value)
    })
    const now = () => {
      const value = entryOf(enforcer, 'varmor_settings', 0, settings.size)
      return [numberIn(settings, value, 'root_level'), numberIn(settings, value, 'strict_start')]
    }
    await enforcer.settle([])
    expect(level, 'the agent wrote').to.be.above(0)
    expect(now()).to.deep.equal([level, 1])
    const first = level
    await enforcer.relax()
    expect(level, 'the agent wrote').to.be.above(first)
    expect(now()).to.deep.equal([level, 0])
  })

  it('stays in a container: its first namespace and its cgroup', async () => {
    const enforcer = await open()
    const id = idOf('a')
    await enforcer.load(web, 'one')
    await enforcer.add({ id, profile: web })
    const number = enforcer.numberOf(id)!
    const parts = [container.at.ns, container.at.ns_id, container.at.cgroup]
    let seen = 0n
    const note = (): void => {
      const value = entryOf(enforcer, 'varmor_containers', number, container.size)
      seen += 0x1_0000_0001n
      for (const at of parts) value.writeBigUInt64LE(seen, at)
      put(enforcer, 'varmor_containers', number, value)
    }
    note()
    beforeWrites('varmor_containers', note)
    const works: Record<string, () => Promise<unknown>> = {
      'a new version of the profile': () => enforcer.load(web, 'two'),
      'another profile': async () => {
        await enforcer.load('varmor-demo-b', 'three')
        await enforcer.add({ id, profile: 'varmor-demo-b' })
      },
      'its mount namespace, and the addresses of its pod': () =>
        enforcer.settle([{ id, profile: 'varmor-demo-b', mntNsID: 7, addresses: ['10.0.0.1'] }]),
      'a look at all tasks': () => enforcer.find(),
      'its end': async () => {
        await enforcer.remove(id)
        await enforcer.find()
      },
    }
    for (const [what, work] of Object.entries(works)) {
      const before = seen
      await work()
      const value = entryOf(enforcer, 'varmor_containers', number, container.size)
      expect(
        parts.map((at) => value.readBigUInt64LE(at)),
        what,
      ).to.deep.equal([seen, seen, seen])
      if (!what.startsWith('a look')) expect(seen, `${what}: the agent wrote`).to.satisfy((now: bigint) => now > before)
    }
    expect(numberIn(container, entryOf(enforcer, 'varmor_containers', number, container.size), 'mnt_ns')).to.equal(7)
  })
})
