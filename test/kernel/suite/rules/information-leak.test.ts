import { informationLeak } from '../cases/information-leak.ts'
import { describeAppArmorRules } from '../harness/rule-cases.ts'

describeAppArmorRules(informationLeak)
