import { families } from '../cases/families.ts'
import { describeBpfRules } from '../harness/bpf-cases.ts'
import { describeEveryRule } from '../harness/every-rule.ts'

for (const family of families) describeBpfRules(family)

describeEveryRule('BPF')
