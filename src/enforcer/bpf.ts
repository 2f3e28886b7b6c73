import { AbsentLoader } from './absent.ts'
import type { ProfileLoader } from './ports.ts'

/** The BPF enforcer's loader. @param absent why the node cannot enforce by BPF, where it cannot */
export function bpfLoader(absent: string | undefined): ProfileLoader {
  return new AbsentLoader('BPF', absent ?? 'this version has no loader for BPF profiles')
}
