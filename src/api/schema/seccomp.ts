import { profileType } from './apparmor.ts'
import { choice, integer, list, object, optional, text } from './build.ts'

/** Actions in the OCI runtime specification (config-linux.md, "seccomp"). */
export const seccompActions = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] as const

/** Comparison operators in the OCI runtime specification. */
export const seccompOperators = [
  'SCMP_CMP_NE',
  'SCMP_CMP_LT',
  'SCMP_CMP_LE',
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_MASKED_EQ',
] as const

// JavaScript does not read JSON numbers above 2^53 exactly. Without this maximum, a rule could change silently.
const argumentValue = { format: 'int64', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const

export const linuxSeccompArg = object('A condition on one argument of the syscall.', {
  index: integer('Number of the argument, 0 to 5.', { minimum: 0, maximum: 5, format: 'int32' }),
  value: integer(
    'The value to compare the argument with; for SCMP_CMP_MASKED_EQ, the mask. At most 2^53 - 1.',
    argumentValue,
  ),
  valueTwo: optional(integer('For SCMP_CMP_MASKED_EQ, the value that the masked argument must equal.', argumentValue)),
  op: choice('The comparison.', seccompOperators),
})

export const linuxSyscall = object('A seccomp rule, as in the OCI runtime specification.', {
  names: list('Names of the syscalls.', text('A syscall.', { minLength: 1, maxLength: 64 }), {
    minItems: 1,
    maxItems: 1024,
  }),
  action: choice('What happens on a match.', seccompActions),
  errnoRet: optional(
    integer('The error number of SCMP_ACT_ERRNO, or the message of SCMP_ACT_TRACE.', {
      minimum: 0,
      maximum: 65_535,
      format: 'int32',
    }),
  ),
  args: optional(list('Conditions. All must hold.', linuxSeccompArg, { maxItems: 64 })),
})

export const syscallRawRules = (description: string) => list(description, linuxSyscall, { maxItems: 1024 })

export const seccompProfile = object(
  'The Seccomp profile of the DefenseInDepth mode.',
  {
    profileType: profileType(),
    customProfile: optional(
      text('A complete seccomp profile as OCI JSON, for profileType Custom.', { maxLength: 524_288 }),
    ),
    syscallRawRules: optional(syscallRawRules('Rules that are added at the end of the profile.')),
  },
  { rulesAt: 'ownProfile' },
)

/** A complete seccomp profile as OCI JSON. It is not part of a CRD, because the CRDs contain profiles as text. */
export const linuxSeccomp = object('A seccomp profile, as in the OCI runtime specification.', {
  defaultAction: choice('What happens to a syscall that no rule matches.', seccompActions),
  defaultErrnoRet: optional(integer('The error number of the default action.', { minimum: 0, maximum: 65_535 })),
  architectures: optional(list('Architectures that the filter covers.', text('SCMP_ARCH_…'))),
  flags: optional(list('Flags of seccomp(2).', text('SECCOMP_FILTER_FLAG_…'))),
  listenerPath: optional(text('Socket for SCMP_ACT_NOTIFY.')),
  listenerMetadata: optional(text('Text that is passed to the listener.')),
  syscalls: optional(list('Rules.', linuxSyscall)),
})
