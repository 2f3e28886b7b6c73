import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { NodeBpf } from '../../../src/agent/bpf/node-bpf.ts'
import type { ContainerChange } from '../../../src/agent/containers/runtime.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { BpfEnforcer } from '../../../src/enforcer/bpf.ts'
import { turn } from '../../audit/manual-clock.ts'
import { FakeKernel, fakeEncoder } from '../../enforcer/bpf/fake-kernel.ts'

const [web, other] = ['varmor-demo-web', 'varmor-demo-other']
const armorProfile = (name: string, enforcer = 'BPF', metadata: object = {}): ArmorProfile =>
  ({ metadata, spec: { profile: { name, enforcer } } }) as unknown as ArmorProfile
const leaving = armorProfile(other, 'BPF', { deletionTimestamp: '2026-01-01T00:00:00Z' })

describe('the BPF enforcer of a node', () => {
  let folder: string
  let kernel: FakeKernel
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'varmor-node-bpf-'))
    kernel = new FakeKernel()
    writeFileSync(join(folder, 'object'), 'programs')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const open = (build: string): Promise<BpfEnforcer> => {
    writeFileSync(join(folder, 'object'), build)
    return BpfEnforcer.open({
      ...{ addon: kernel, encoder: fakeEncoder, root: join(folder, 'root'), object: join(folder, 'object') },
      ...{ ringBytes: 4096, hostMntNs: 1, strictStart: 0 },
    })
  }

  const rows: { when: string; listed: ArmorProfile; change?: (node: NodeBpf) => void; waits: boolean }[] = [
    { when: 'that is to be loaded', listed: armorProfile(other), waits: true },
    { when: 'that is leaving', listed: leaving, waits: false },
    { when: 'of another enforcer', listed: armorProfile(other, 'AppArmor'), waits: false },
    {
      when: 'that leaves then',
      listed: armorProfile(other),
      change: (node) => node.profile(leaving, false),
      waits: false,
    },
    {
      when: 'that is gone then',
      listed: armorProfile(other),
      change: (node) => node.profile(leaving, true),
      waits: false,
    },
    {
      when: 'that BPF is to leave then',
      listed: armorProfile(other),
      change: (node) => node.profile(armorProfile(other, 'AppArmor'), false),
      waits: false,
    },
  ]
  for (const { when, listed, change, waits } of rows)
    it(`${waits ? 'has' : 'does not have'} programs of another build wait for a profile ${when}`, async () => {
      const before = await open('old')
      for (const name of [web, other]) await before.load(name, 'one')
      const enforcer = await open('new')
      const node = new NodeBpf({ enforcer, strictStart: false, logger: noLogger })
      for (const one of [armorProfile(web), listed]) node.profile(one, false)
      await node.listed([])
      await node.profilesListed()
      await enforcer.load(web, 'one')
      change?.(node)
      await turn()
      expect(node.beside).to.deep.equal(waits ? [before.folder] : [])
    })

  it('says by which number records name a container, and since when', async () => {
    const enforcer = await BpfEnforcer.open({
      ...{ addon: kernel, encoder: fakeEncoder, root: join(folder, 'root'), object: join(folder, 'object') },
      ...{ ringBytes: 4096, hostMntNs: 1, strictStart: 0, uptime: () => 12.345 },
    })
    const node = new NodeBpf({ enforcer, strictStart: false, logger: noLogger })
    const containerID = 'a'.repeat(64)
    const change = { type: 'started', container: { containerID } } as ContainerChange
    expect(node.numbered(change)).to.equal(change)
    await enforcer.add({ id: containerID, profile: web })
    expect(node.numbered(change)).to.deep.equal({
      type: 'started',
      container: { containerID, bpfNumber: 1, bpfSince: 1_234 },
    })
  })
})
