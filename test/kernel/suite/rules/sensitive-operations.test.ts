import { sensitiveOperations } from '../cases/sensitive-operations.ts'
import { describeAppArmorRules } from '../harness/rule-cases.ts'

describeAppArmorRules(sensitiveOperations)
