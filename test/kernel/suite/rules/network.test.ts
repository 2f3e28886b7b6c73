import { network } from '../cases/network.ts'
import { describeAppArmorRules } from '../harness/rule-cases.ts'

describeAppArmorRules(network)
