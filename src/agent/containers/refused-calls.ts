import { isSyscall } from '../../api/linux-syscalls.ts'
import { isObject } from '../../api/validate-schema.ts'
import { LOG_FLAG } from '../../profile/context.ts'

const refusing: ReadonlySet<unknown> = new Set([
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_KILL_PROCESS',
])

/**
 * The system calls that a container's filter always refuses and that the kernel reports. `+,mkdir,rmdir,` means these
 * calls; `-,read,` means all calls except these. Without the log flag, the kernel does not report calls.
 * @param filter `linux.seccomp` of the container's OCI spec; undefined: the container has no filter
 */
export function refusedCalls(filter: unknown): string {
  if (!isObject(filter)) return written('+', [])
  const { flags, defaultAction, syscalls } = filter
  if (!Array.isArray(flags) || !flags.includes(LOG_FLAG)) return written('+', [])
  const byDefault = refusing.has(defaultAction)
  const [refused, allowed] = [new Set<string>(), new Set<string>()]
  for (const rule of Array.isArray(syscalls) ? syscalls : []) {
    if (!isObject(rule) || !Array.isArray(rule['names'])) continue
    const names = rule['names'].filter((name): name is string => typeof name === 'string' && isSyscall(name))
    const isConditional = Array.isArray(rule['args']) && rule['args'].length > 0
    if (refusing.has(rule['action'])) for (const name of names) refused.add(name)
    else if (!isConditional) for (const name of names) allowed.add(name)
  }
  if (!byDefault) return written('+', refused)
  return written(
    '-',
    [...allowed].filter((name) => !refused.has(name)),
  )
}

const written = (sign: '+' | '-', names: Iterable<string>): string =>
  `${sign},${[...names]
    .sort()
    .map((name) => `${name},`)
    .join('')}`
