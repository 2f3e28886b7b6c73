import { kernelAttackSurface } from '../cases/kernel-attack-surface.ts'
import { describeAppArmorRules } from '../harness/rule-cases.ts'

describeAppArmorRules(kernelAttackSurface)
