import type { RuleFamily } from '../harness/rule-case.ts'
import { capabilities } from './capabilities.ts'
import { hostEscape } from './host-escape.ts'
import { informationLeak } from './information-leak.ts'
import { kernelAttackSurface } from './kernel-attack-surface.ts'
import { network } from './network.ts'
import { sensitiveOperations } from './sensitive-operations.ts'
import { vulnerabilities } from './vulnerabilities.ts'

/** The cases of all rules about objects of the kernel, for AppArmor and BPF. */
export const families: readonly RuleFamily[] = [
  ...[hostEscape, capabilities, kernelAttackSurface, informationLeak],
  ...[sensitiveOperations, network, vulnerabilities],
]
