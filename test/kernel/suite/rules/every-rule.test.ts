import { describeEveryRule } from '../harness/every-rule.ts'

describeEveryRule('AppArmor', 'Seccomp')
