import type { KernelEnforcer } from '../../../../src/api/enforcer.ts'
import { kernelNames } from '../../guest/kernels.ts'
import type { Shown } from '../cases/shown.ts'
import { linuxVersion } from './kernel-release.ts'

/**
 * Rules that the cases of the loaded test files cover, by enforcer, and whether this kernel can run one of the rule's
 * cases. The title of a skipped case gives the reason.
 */
export const rulesShown = {
  AppArmor: new Map<string, boolean>(),
  BPF: new Map<string, boolean>(),
  Seccomp: new Map<string, boolean>(),
} satisfies Record<KernelEnforcer, Map<string, boolean>>

export function noteCase(enforcer: KernelEnforcer, rule: string, runs = true): void {
  rulesShown[enforcer].set(rule, runs || rulesShown[enforcer].get(rule) === true)
}

/**
 * Tests below this title check that nothing is in force. They do not count, because their number varies with the
 * options.
 */
export const deleted = 'with the policies deleted'

/** Number of passed tests of a rule, by enforcer. */
const passed: Record<KernelEnforcer, Record<string, number>> = { AppArmor: {}, BPF: {}, Seccomp: {} }

/** Counts, by rule and enforcer, the passed tests of this `describe`; their titles name their rule. */
export function noteResults(enforcer: KernelEnforcer): void {
  afterEach(function () {
    const test = this.currentTest
    const path = test?.titlePath() ?? []
    const words = path.join(' ').split(/[^\w-]+/)
    const rule = words.find((word) => rulesShown[enforcer].has(word))
    if (rule === undefined || test?.state !== 'passed' || path.includes(deleted)) return
    passed[enforcer][rule] = (passed[enforcer][rule] ?? 0) + 1
  })
}

/** The results of the tests on this kernel, in the form of shown.json. */
export function shownNow(enforcers: readonly KernelEnforcer[]): Shown {
  const version = linuxVersion()
  const ofEnforcer = (enforcer: KernelEnforcer) =>
    [...rulesShown[enforcer]].sort().flatMap(([rule, runs]) => {
      const count = runs ? passed[enforcer][rule] : 0
      return count === undefined ? [] : [[rule, count] as const]
    })
  return {
    [kernelNames.find((name) => name === version) ?? 'sid']: Object.fromEntries(
      enforcers.map((enforcer) => [enforcer, Object.fromEntries(ofEnforcer(enforcer))]),
    ),
  }
}
