import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { Command } from 'commander'
import { mebibyte } from '../../src/base/bytes.ts'
import { addAgent } from '../../src/cli/roles.ts'
import { defaultRing } from '../../src/enforcer/open-loaders.ts'
import { CONTAINERS, PROFILES } from '../../src/profile/bpf/limits.ts'

const text = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const values = text('deploy/helm/varmor/values.yaml')
const ring = `${defaultRing / mebibyte}M`

/** Flags whose values the chart leaves to the program. */
const rows: { flag: string; is: string; comment: RegExp }[] = [
  { flag: '--bpfRingSize', is: ring, comment: /null: (\w+)\.\n *bpfRingSize:/ },
  { flag: '--bpfContainers', is: `${CONTAINERS - 1}`, comment: /null: (\d+) and \d+\.\n *bpfContainers:/ },
  { flag: '--bpfProfiles', is: `${PROFILES - 2}`, comment: /null: \d+ and (\d+)\.\n.*\n *bpfProfiles:/ },
]

describe('The comments of the chart’s values', () => {
  const varmor = new Command()
  addAgent(varmor)
  const { options } = varmor.commands[0]!

  for (const { flag, is, comment } of rows)
    it(`say what ${flag} is without a value, as its help does`, () => {
      expect(comment.exec(values)?.[1]).to.equal(is)
      expect(options.find(({ long }) => long === flag)!.description).to.include(`(default: ${is})`)
    })

  it('and the documents say what memory the kernel’s ring has, with the quarter of it that is for changes', () => {
    expect(text('docs/operating.md')).to.include(`the BPF ring ${(1.25 * defaultRing) / mebibyte} MiB`)
    expect(text('docs/bpf.md')).to.include(`(\`--bpfRingSize\`, ${ring})`)
  })
})
