import { families } from '../cases/families.ts'
import { describeBpfRules } from '../harness/bpf-cases.ts'
import { describeEveryRule } from '../harness/every-rule.ts'

describeBpfRules(families)

describeEveryRule('BPF')
