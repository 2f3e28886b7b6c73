import type { ProfileRule } from './profile-rules.ts'
import { ruleOf } from './read-profile.ts'

/**
 * The rules of abstractions/base about signals and tracing in AppArmor 3 and 4. The rules about files in
 * abstractions/base only allow, so they matter only in profiles that do not allow all files.
 */
const base = [
  'ptrace (readby),',
  'ptrace (tracedby),',
  'ptrace (read) peer=@{profile_name},',
  'signal (receive) peer=unconfined,',
  'signal peer=@{profile_name},',
  'signal (receive,send) set=("exists"),',
]

/** Rules of an included file that are the same on every node. */
export const baseRules = (include: string): ProfileRule[] => (include === 'abstractions/base' ? base.map(ruleOf) : [])
