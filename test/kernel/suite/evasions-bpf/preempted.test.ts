import { existsSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import { expect } from 'chai'
import { output, result } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { RacingProbe } from '../bpf/racing-probe.ts'
import { ConfinedContainer } from '../evasions/confine.ts'
import { policyOf } from '../harness/profiles.ts'

const tries = Number(process.env['VARMOR_HOSTILE_TRIES'] ?? 60_000)

/** Paths with one component to hundreds of components, and with a few bytes to nearly the maximum length of a path. */
const folders = [
  '/race',
  `/race${'/middle-sized'.repeat(6)}`,
  `/race${`/${'long'.repeat(60)}`.repeat(15)}`,
  `/race${'/deep'.repeat(100)}`,
]
const pairs = folders.map((folder, i) => ({
  forbidden: `${folder}/key`,
  // The allowed path sometimes has the same length, and sometimes a very different length.
  allowed: `${folders[i % 2 === 0 ? i : (i + 1) % folders.length]}/kez`,
}))

/** Version `i` of the policy; each version adds and removes other rules. */
const version = (i: number) => {
  const files = ['/race/key', '/race/**/key', `/other-${i}/**`].map((pattern) => ({ pattern, permissions: ['read'] }))
  return policyOf('preempted', 'enforced', { privileged: true, bpfRawRules: { files } }, 'BPF')
}

const mode = '/sys/kernel/debug/sched/preempt'

describe('evasions: programs that are preempted (BPF)', function () {
  this.timeout(1_800_000)
  let container: ConfinedContainer

  before(async () => {
    await output('containerd-up', [])
    container = await ConfinedContainer.start('evasions-preempted', { image: debianImage, policy: version(0) })
    for (const folder of folders) {
      const { status, text } = await container.run(`mkdir -p ${folder} && touch ${folder}/key ${folder}/kez`)
      expect(status, text).to.equal(0)
    }
    await container.load()
    await container.confine(true)
  })
  after(() => container?.stop())

  it('are so on this kernel', async function () {
    await result('mount', ['-t', 'debugfs', 'debugfs', '/sys/kernel/debug'])
    if (!existsSync(mode)) {
      console.warn(`      skipped: Linux ${release()} has no choice of preemption, and its programs are not preempted`)
      this.skip()
    }
    expect(readFileSync(mode, 'utf8')).to.contain('(full)')
  })

  it('give the answers of their own task, ten of which share a processor, while the profile is replaced', async () => {
    const { containerID } = container.container.info
    // Probes that sleep wake at any moment, also while another probe's BPF program runs.
    const probes = [
      RacingProbe.start(containerID, 'busy', pairs, { processes: 5 }),
      RacingProbe.start(containerID, 'waking', pairs, { processes: 5, nap: 20 }),
    ]
    const all = (): number => probes.reduce((sum, { seen }) => sum + seen.tries, 0)
    let replaced = 0
    while (replaced < 20 || all() < tries) await container.load(version(++replaced))
    const [busy, waking] = await Promise.all(probes.map((probe) => probe.stop()))
    console.log(`      ${replaced} replacements; ${busy!.tries} tries, and ${waking!.tries} of those that rest`)
    for (const seen of [busy, waking]) expect(seen).to.include({ passed: 0, refused: 0 })
    expect(waking!.tries).to.be.above(tries / 100)
  })
})
