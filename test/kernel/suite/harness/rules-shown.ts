import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'

/** Rules that some case of the loaded test files is about, by enforcer; a case that cannot run says why by its name. */
export const rulesShown = {
  AppArmor: new Set<string>(),
  BPF: new Set<string>(),
  Seccomp: new Set<string>(),
} satisfies Record<KernelEnforcer, Set<string>>

/** How many tests of a rule have ended how. */
interface Results {
  passed: number
  failed: number
  pending: number
}

const results = new Map<string, Results>()

/** Counts, by rule and enforcer, how the tests of this `describe` end; their titles name their rule. */
export function noteResults(enforcer: KernelEnforcer): void {
  afterEach(function () {
    const test = this.currentTest
    const words =
      test
        ?.titlePath()
        .join(' ')
        .split(/[^\w-]+/) ?? []
    const rule = words.find((word) => rulesShown[enforcer].has(word))
    if (rule === undefined || test?.state === undefined) return
    const key = `${rule}  ${enforcer}`
    const found = results.get(key) ?? { passed: 0, failed: 0, pending: 0 }
    results.set(key, found)
    found[test.state] += 1
  })
}

/** One line for each rule and enforcer whose tests have run. */
export function resultLines(): string[] {
  const width = Math.max(0, ...[...results.keys()].map((key) => key.length))
  return [...results].sort().map(([key, { passed, failed }]) => {
    const ending = failed > 0 ? `, ${failed} failed` : ''
    return `${key.padEnd(width)}  ${passed} passed${ending}`
  })
}
