import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { bpfEncoder } from '../../src/agent/bpf/bpf-encoder.ts'
import { mebibyte } from '../../src/base/bytes.ts'
import { sharesOf } from '../../src/enforcer/bpf/shares.ts'
import { defaultRing } from '../../src/enforcer/open-loaders.ts'
import { agentOptions } from '../../src/options/agent.ts'
import { TABLES_OF_PROFILE, tableMaps } from '../../src/profile/bpf/layout.ts'
import { CONTAINERS, MAX_PORT_RANGES, MAX_PREFIXES, PROFILE_MEMORY, PROFILES } from '../../src/profile/bpf/limits.ts'

const text = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const values = text('deploy/helm/varmor/values.yaml')
const ring = `${defaultRing / mebibyte}M`

/** The parts of the agents' memory limit in MiB, from docs/sizing.md. */
function agentParts(): Record<string, number> {
  const [, table = ''] = /^\| part \| MiB \|.*\n.*\n((?:\|.*\n)+)/m.exec(text('docs/sizing.md')) ?? []
  return Object.fromEntries(
    Array.from(table.matchAll(/^\| (.+?) \| (\d+) \|/gm), ([, part = '', size]) => [part, Number(size)]),
  )
}

/** Options whose default is defined in another folder of sources. */
const rows = [
  { option: 'bpfRingSize', is: ring },
  { option: 'bpfContainers', is: `${CONTAINERS - 1}` },
  { option: 'bpfProfiles', is: `${PROFILES - 2}` },
  { option: 'bpfProfileMemory', is: `${PROFILE_MEMORY / mebibyte}M` },
] as const

describe('The comments of the chart’s values', () => {
  for (const { option, is } of rows)
    it(`say what ${option} is without a value`, () => {
      expect(agentOptions[option].without).to.equal(is)
      expect(values).to.match(new RegExp(`null: ${is}\\.( .*\\n *#.*)?\\n *${option}: null`))
    })

  it('and the documents say what memory the kernel’s ring has, with the quarter of it that is for changes', () => {
    expect(agentParts()['the ring of BPF records, with its quarter for forks']).to.equal(
      (1.25 * defaultRing) / mebibyte,
    )
    expect(text('docs/bpf.md')).to.include(`(\`--bpf-ring-size\`, ${ring})`)
  })

  it('and the documents say what memory profiles have in the kernel, which the limit of agents covers with all else', () => {
    const [sizing, bpf] = [text('docs/sizing.md'), text('docs/bpf.md').replace(/\s+/g, ' ')]
    const room = bpfEncoder().rooms.at(-1)!
    const { all, namespaces, one } = sharesOf(room.all / 1024)
    const none = room.ofProfile([])
    const sizes = tableMaps.map((_, map) => room.ofTable!(map).toLocaleString('en')).join(', ')
    for (const said of [
      `${all} MiB of the kernel`,
      `${namespaces} MiB for`,
      `${one} MiB for`,
      `| each profile | ${none} KiB |`,
    ])
      expect(bpf).to.include(said)
    expect(bpf).to.include(sizes.replace(/, (?=[^ ]+$)/, ' or '))
    const largest = room.ofProfile([MAX_PREFIXES, MAX_PREFIXES, MAX_PORT_RANGES]) + TABLES_OF_PROFILE * room.ofTable!(3)
    const replaced = Math.ceil(largest / 1024)
    expect(bpf).to.include(`up to ${replaced} MiB for that moment`)
    const parts = Object.entries(agentParts())
    const [named, shown] = [parts.slice(0, -2), Object.fromEntries(parts)]
    expect(shown).to.include({ 'BPF profiles': all, 'a second copy, while the largest profile is replaced': replaced })
    expect(shown['sum']).to.equal(named.reduce((sum, [, size]) => sum + size, 0))
    expect(sizing).to.include(`| an agent without profiles | ${shown['the agent at rest']} MiB at rest`)
    const limit = Number(/bpfLsmEnforcer:\n +resources:\n +limits:\n.*\n +memory: (\d+)Mi/.exec(values)![1])
    expect(sizing).to.include(`resources\`, ${limit} MiB)`)
    expect(shown['the rest, see below']).to.equal(limit - shown['sum']!)
  })
})
