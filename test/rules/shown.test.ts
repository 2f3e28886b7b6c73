import { expect } from 'chai'
import type { KernelEnforcer } from '../../src/api/enforcer.ts'
import { catalogue } from '../../src/rules/catalogue.ts'
import { type Claim, claimOf } from '../../src/rules/kernels.ts'
import { type KernelName, kernelNames } from '../kernel/guest/kernels.ts'
import {
  differences,
  enforcers,
  readShown,
  readShownLines,
  type Shown,
  shownLine,
  tableOfRules,
  withRuns,
} from '../kernel/suite/cases/shown.ts'

const keys = { AppArmor: 'appArmor', BPF: 'bpf', Seccomp: 'seccomp' } as const

/**
 * Rules whose cases cannot run, for the reason in the case: these kernels do not call a hook, or the guests' runtime
 * ignores a system call.
 */
const untried: readonly { rule: string; enforcers: readonly KernelEnforcer[]; kernels: readonly KernelName[] }[] = [
  { rule: 'disable-cap-mac-override', enforcers: ['AppArmor', 'BPF'], kernels: kernelNames },
  { rule: 'disable-cap-linux-immutable', enforcers: ['AppArmor', 'BPF'], kernels: ['5.10'] },
  { rule: 'disallow-userfaultfd-creation', enforcers: ['AppArmor', 'BPF'], kernels: ['5.10'] },
  { rule: 'mitigate-disk-device-number-leak', enforcers: ['Seccomp'], kernels: kernelNames },
  { rule: 'mitigate-overlayfs-leak', enforcers: ['Seccomp'], kernels: kernelNames },
]

const isUntried = (name: string, enforcer: KernelEnforcer, kernel: KernelName): boolean =>
  untried.some(
    ({ rule, enforcers, kernels }) => rule === name && enforcers.includes(enforcer) && kernels.includes(kernel),
  )

const isBefore = (kernel: KernelName, version: string): boolean => {
  if (kernel === 'sid') return false
  const [major = 0, minor = 0, newMajor = 0, newMinor = 0] = `${kernel}.${version}`.split('.').map(Number)
  return major < newMajor || (major === newMajor && minor < newMinor)
}

/** Whether tests must have passed; undefined if the rule has further requirements, which guests may not meet. */
function isClaimed(claim: Claim, kernel: KernelName): boolean | undefined {
  if (typeof claim === 'string') return claim !== 'no'
  if (claim.kernel !== undefined && isBefore(kernel, claim.kernel)) return false
  return claim.also === undefined ? true : undefined
}

/** The results of runs that contradict docs/reference/rules.md. */
const contradictions = (shown: Shown): string[] =>
  kernelNames.flatMap((kernel) =>
    enforcers.flatMap((enforcer) => {
      const found = shown[kernel]?.[enforcer]
      if (found === undefined) return []
      return catalogue.flatMap((rule) => {
        const claimed = isClaimed(claimOf(rule, keys[enforcer]), kernel)
        if (claimed === undefined || isUntried(rule.name, enforcer, kernel) || claimed === (found[rule.name] ?? 0) > 0)
          return []
        return `${rule.name}, ${enforcer}, ${kernel}: ${claimed ? 'said to be stopped' : 'stopped, and not said to be'}`
      })
    }),
  )

describe('what runs on real kernels have shown of the built-in rules', () => {
  const shown: Shown = {
    '5.10': { BPF: { 'disable-write-etc': 4, 'disallow-create-user-ns': 2 } },
    '6.12': { AppArmor: { 'disable-write-etc': 6 }, BPF: { 'disable-write-etc': 4 } },
  }

  it('is what the documents say of them', () => {
    expect(contradictions(readShown())).to.deep.equal([])
    for (const of of Object.values(readShown()))
      for (const found of Object.values(of))
        expect(catalogue.map(({ name }) => name)).to.include.members(Object.keys(found))
  })

  it('would show a claim that is too much, or too little', () => {
    const ofBpf = Object.fromEntries(
      catalogue.flatMap((rule) => (claimOf(rule, 'bpf') === 'no' ? [] : [[rule.name, 2]])),
    )
    const { 'disable-write-etc': _, ...without } = ofBpf
    expect(contradictions({ '6.1': { BPF: ofBpf } })).to.deep.equal([])
    expect(contradictions({ '6.1': { BPF: { ...without, 'dirty-pipe-mitigation': 2 } } })).to.deep.equal([
      'disable-write-etc, BPF, 6.1: said to be stopped',
      'dirty-pipe-mitigation, BPF, 6.1: stopped, and not said to be',
    ])
  })

  it('is compared rule by rule', () => {
    expect(differences(shown, { '5.10': shown['5.10']! })).to.deep.equal([])
    const now = { '5.10': { BPF: { 'disable-write-etc': 3, 'disable-shell': 2 } }, sid: { BPF: {} } }
    expect(differences(shown, { '5.10': { BPF: { ...shown['5.10']!.BPF, 'disable-write-etc': 5 } } })).to.deep.equal([])
    expect(differences(shown, now)).to.deep.equal([
      'disable-write-etc, BPF, 5.10: 3 passed, noted 4',
      'disallow-create-user-ns, BPF, 5.10: none passed, noted 2',
      'disable-shell, BPF, 5.10: 2 passed, noted none',
      'BPF, sid: nothing is noted',
    ])
  })

  it('is noted from what runs print, in place of what was there', () => {
    const runs = [{ '5.10': { BPF: { 'disable-shell': 2 } } }, { '5.10': { AppArmor: { 'disable-shell': 2 } } }]
    const text = runs.map((run) => `  12 passing\r\n${shownLine(run)}\n\n`).join('')
    expect(readShownLines(text)).to.deep.equal(runs)
    expect(JSON.stringify(withRuns(shown, runs))).to.equal(
      JSON.stringify({
        '5.10': { AppArmor: { 'disable-shell': 2 }, BPF: { 'disable-shell': 2 } },
        '6.12': shown['6.12'],
      }),
    )
  })

  it('is a table by rule, enforcer and kernel', () => {
    const table = tableOfRules({
      ...shown,
      '6.1': { BPF: { 'disallow-create-user-ns': 0, 'disable-cap-all': 2, 'disable-cap-bpf': 2 } },
    })
    expect(table.split('\n').slice(2)).to.have.members([
      '| `disable-cap-all` |  | 6.1 |  |',
      '| `disable-cap-bpf` |  | 6.1 |  |',
      '| `disallow-create-user-ns` |  | 5.10 |  |',
      '| `disable-write-etc` | 6.12 | 5.10, 6.12 |  |',
      '',
    ])
  })
})
