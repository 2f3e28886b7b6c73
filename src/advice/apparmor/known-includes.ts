import type { ProfileRule } from './profile-rules.ts'
import { ruleOf } from './read-profile.ts'

/**
 * What abstractions/base of AppArmor 3 and 4 says of processes. What it says of files allows, and so matters where not
 * all are allowed.
 */
const base = [
  'ptrace (readby),',
  'ptrace (tracedby),',
  'ptrace (read) peer=@{profile_name},',
  'signal (receive) peer=unconfined,',
  'signal peer=@{profile_name},',
  'signal (receive,send) set=("exists"),',
]

/** Rules of a file that profiles include, as far as they are the same on every node. */
export const baseRules = (include: string): ProfileRule[] => (include === 'abstractions/base' ? base.map(ruleOf) : [])
