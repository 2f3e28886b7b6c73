import { hostEscape } from '../cases/host-escape.ts'
import { describeAppArmorRules } from '../harness/rule-cases.ts'

describeAppArmorRules(hostEscape)
