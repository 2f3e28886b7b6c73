import { vulnerabilities } from '../cases/vulnerabilities.ts'
import { describeAppArmorRules } from '../harness/rule-cases.ts'

describeAppArmorRules(vulnerabilities)
