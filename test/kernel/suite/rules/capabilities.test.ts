import { capabilities } from '../cases/capabilities.ts'
import { describeAppArmorRules } from '../harness/rule-cases.ts'

describeAppArmorRules(capabilities)
