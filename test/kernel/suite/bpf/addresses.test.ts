import { expect } from 'chai'
import { loadBpfAddon } from '../../../../src/enforcer/bpf/addon.ts'
import { unpackRecord, wordIn } from '../../../../src/enforcer/bpf/layout.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { TABLE_SIZE_SHIFT, tableMaps } from '../../../../src/profile/bpf/layout.ts'
import { PROFILES } from '../../../../src/profile/bpf/limits.ts'
import { wordBytes } from '../../../../src/profile/bpf/places.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { shown } from '../evasions/limits.ts'
import { Container } from '../harness/container.ts'
import { compiled, identityOf, policyOf } from '../harness/profiles.ts'
import { openEnforcer } from './enforcer.ts'
import { RacingProbe } from './racing-probe.ts'

const tries = Number(process.env['VARMOR_HOSTILE_TRIES'] ?? 20_000)
const name = 'addresses'
const selector = { matchLabels: { app: 'db' } }
/** A policy with rules about Pods and about the container's own pod, beside many other rules. */
const policy = policyOf(
  name,
  'enforced',
  {
    ...{ privileged: true, auditViolations: false },
    bpfRawRules: {
      files: Array.from({ length: 100 }, (_, i) => ({ pattern: `/srv/${i}/**`, permissions: ['read'] })),
      network: {
        egress: { toPods: [{ podSelector: selector }], toDestinations: [{ ip: 'pod-self', ports: [{ port: 9 }] }] },
      },
    },
  },
  'BPF',
)
const { profileName } = identityOf(policy)

const { profile } = compiled(policy, { addresses: [] }).enforcers.BPF!
const files = JSON.stringify(profile.files)
/** Compiles the profile for these Pod addresses. */
function contentWith(...pods: string[]): string {
  const addresses = [{ target: 'pods of all namespaces: app=db', groups: [{ addresses: pods }] }]
  const { profile: now } = compiled(policy, { addresses }).enforcers.BPF!
  expect(JSON.stringify(now.files)).to.equal(files)
  return JSON.stringify(now)
}

const stays = ['10.1.0.1', 'fd00::1']
const many = (from: number): string[] =>
  Array.from({ length: 300 }, (_, i) => `10.2.${(from + i) >> 8}.${(from + i) & 255}`)

describe('BPF rules about Pods', function () {
  this.timeout(1_800_000)
  let container: Container
  let enforcer: BpfEnforcer
  before(async () => {
    await output('containerd-up', [])
    enforcer = await openEnforcer()
    container = await Container.start(name, { image: debianImage, flags: ['--cap-add', 'CAP_NET_ADMIN'] })
    await enforcer.load(profileName, contentWith(...stays))
    await enforcer.add({ id: container.info.containerID, profile: profileName })
    await enforcer.find()
  })
  after(async () => {
    await container?.stop()
    await enforcer?.end()
  })

  /** The outcome of one attempt. */
  async function fateOf(address: string): Promise<'refused' | 'passed'> {
    const { text } = await container.run(['bash', '-c', `echo > /dev/udp/${address}/9`])
    return /not permitted|denied/.test(text) ? 'refused' : 'passed'
  }

  /**
   * The kernel's ids of the tables that hold automata. Only tables that profiles refer to count, because Linux 6.1
   * waits at each lookup.
   */
  function tables(): number[] {
    const addon = loadBpfAddon()
    if (typeof addon === 'string') throw new Error(addon)
    const state = addon.open(enforcer.folder)
    const records = Array.from({ length: PROFILES - 1 }, (_, i) => addon.get(state, 'varmor_records', wordBytes(i + 1)))
    return records
      .flatMap((bytes) => (bytes === null ? [] : (unpackRecord(bytes)?.tables ?? [])))
      .map((reference) => {
        const map = tableMaps[Math.floor(reference / 2 ** TABLE_SIZE_SHIFT)]!.map
        const id = addon.get(state, map, wordBytes(reference % 2 ** TABLE_SIZE_SHIFT))
        if (id === null) throw new Error(`${map} lacks what a profile refers to`)
        return wordIn(id)
      })
  }

  it('hold at an address from when it is said, and until it is taken back, though the profile stays what it is', async () => {
    const before = tables()
    expect(before).to.have.length(1)
    const pod = '10.3.0.7'
    expect(await fateOf(pod)).to.equal('passed')
    await enforcer.load(profileName, contentWith(...stays, pod))
    for (const address of [pod, `::ffff:${pod}`, ...stays]) expect(await fateOf(address), address).to.equal('refused')
    await enforcer.load(profileName, contentWith(...stays))
    expect([await fateOf(pod), await fateOf(stays[0]!)]).to.deep.equal(['passed', 'refused'])
    expect(tables()).to.deep.equal(before)
  })

  it('hold all the time at an address that stays, while hundreds of others come and go', async () => {
    const { containerID } = container.info
    const probes = stays.map((address, i) =>
      RacingProbe.start(containerID, `addresses-${i}`, { forbidden: `udp:${address}`, allowed: 'udp:10.9.9.9' }),
    )
    const both = [contentWith(...stays, ...many(0)), contentWith(...stays, ...many(100))]
    let [replaced, took, over] = [0, 0, false]
    const enough = Promise.all(probes.map((probe) => probe.after(tries / 2))).finally(() => {
      over = true
    })
    while (replaced < 20 || !over) {
      const start = performance.now()
      await enforcer.load(profileName, both[++replaced % 2]!)
      took += performance.now() - start
    }
    await enough
    const seen = await Promise.all(probes.map((probe) => probe.stop()))
    console.log(
      `      ${replaced} times other addresses, ${(took / replaced).toFixed(1)} ms each; ${seen[0]!.tries} tries`,
    )
    for (const { passed, refused } of seen) expect({ passed, refused }).to.deep.equal({ passed: 0, refused: 0 })
  })

  it('and about the own pod hold at the addresses of each container, whatever its profile', async () => {
    const id = container.info.containerID
    const own = ['10.4.0.5', 'fd00::4:5']
    expect([await fateOf(own[0]!), await fateOf('0.0.0.0')]).to.deep.equal(['passed', 'refused'])
    await enforcer.add({ id: 'f'.repeat(64), profile: profileName, addresses: ['10.4.0.6'] })
    await enforcer.add({ id, profile: profileName, addresses: own })
    for (const address of [...own, `::ffff:${own[0]}`]) expect(await fateOf(address), address).to.equal('refused')
    expect(await fateOf('10.4.0.6'), "another's").to.equal('passed')
    await enforcer.add({ id, profile: profileName, addresses: own.slice(1) })
    expect([await fateOf(own[0]!), await fateOf(own[1]!)]).to.deep.equal(['passed', 'refused'])
  })

  it(`and about the own pod: an address that it has given itself ${shown('own addresses')}`, async () => {
    await enforcer.add({ id: container.info.containerID, profile: profileName, addresses: ['10.4.0.5'] })
    expect(await container.run('ip address add 10.4.0.9/32 dev lo')).to.include({ status: 0 })
    expect(await fateOf('10.4.0.5')).to.equal('refused')
    expect(await container.run(['bash', '-c', 'echo > /dev/udp/10.4.0.9/9'])).to.deep.equal({ status: 0, text: '' })
  })
})
