import { dirname } from 'node:path'
import type { ModelBpf, VarmorPolicy } from '../../../../src/api/types.ts'
import { policyOf } from '../harness/profiles.ts'

// The policies of these tests forbid reads of /data/vault and of the service account, changes of /data/ledger,
// /data/note and /etc, and the execution of curl and wget.

export const token = '/run/secrets/kubernetes.io/serviceaccount/token'

/**
 * Prepares a container. curl is a static program that prints the words after `say`; wget is a dynamic program that
 * prints all words.
 */
export const equipped = `cp /probes/evade /usr/bin/curl && cp /bin/echo /usr/bin/wget && mkdir -p ${dirname(token)} /run/empty`

/** Creates all other files again, unconfined, and starts as few programs as possible. */
export const laidOut = [
  'rm -rf /data /date /tmp/*',
  'mkdir -p /data/vault/deep /data/ledger /data/else',
  `for key in /data/vault/key /data/vault/deep/key /etc/shadow ${token}; do echo the secret > $key; done`,
  'for file in /data/ledger/book /data/note /data/else/book; do echo old > $file; done',
].join(' && ')

const attackProtectionRules = [
  { rules: ['disable-write-etc', 'disable-access-shadow', 'mitigate-sa-leak', 'disable-curl', 'disable-wget'] },
]
const appArmorRawRules = [
  { rules: 'deny /data/vault/** r,\ndeny /data/ledger/** wl,\ndeny /data/note wl,\naudit deny /data/tool x,' },
]
const bpfRawRules = {
  files: [
    { pattern: '/data/vault/**', permissions: ['read'] },
    // A BPF pattern for a directory's content does not match the directory itself, unlike an AppArmor pattern.
    { pattern: '/data/ledger', permissions: ['write'] },
    { pattern: '/data/ledger/**', permissions: ['write'] },
    { pattern: '/data/note', permissions: ['write'] },
    { pattern: '/data/tool', permissions: ['exec'] },
  ],
}

/** Enforcers that confine a container, besides Seccomp. */
export type Enforcers = 'AppArmor' | 'BPF' | 'AppArmorBPF'

/** A policy of these enforcers. */
export type PolicyFor = (enforcers: Enforcers) => VarmorPolicy

/**
 * A policy for an ordinary container, in the form that a user writes.
 * @param beside an additional enforcer
 */
export const ordinary =
  (name: string, more: object = {}, beside: 'Seccomp' | '' = ''): PolicyFor =>
  (enforcers) =>
    policyOf(
      name,
      'enforced',
      structuredClone({ attackProtectionRules, appArmorRawRules, bpfRawRules, ...more }),
      `${enforcers}${beside}`,
    )

/** Like `ordinary`, for a privileged container, to which nothing else applies. */
export const privileged = (name: string, hardeningRules: readonly string[] = [], more: object = {}): PolicyFor =>
  ordinary(name, { privileged: true, hardeningRules, ...more })

/** A policy with only these rules, in each enforcer's form. */
export const ofRules =
  (name: string, rules: object): PolicyFor =>
  (enforcers) =>
    policyOf(name, 'enforced', rules, enforcers)

/** Entries of an allow-list: the files that every program reads. */
export const readable = ['/usr/**', '/etc/**', '/proc/**'].map((path) => ({ path, permissions: ['read'] }))
export const changeable = (...paths: string[]): { path: string; permissions: string[] }[] =>
  paths.map((path) => ({ path, permissions: ['all'] }))
/** The paths that the shell of the commands needs. */
export const ofShell = changeable('/dev/**', '/tmp/**')

/** A BPF policy in DefenseInDepth, with everything that the container may do. */
export const listed =
  (name: string, allow: ModelBpf): PolicyFor =>
  () => {
    const policy = policyOf(name, 'enforced', {}, 'BPF')
    const defenseInDepth = { allowViolations: false, bpf: { profileType: 'Custom', allow } } as const
    return { ...policy, spec: { ...policy.spec, policy: { enforcer: 'BPF', mode: 'DefenseInDepth', defenseInDepth } } }
  }
