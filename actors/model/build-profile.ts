import type { DynamicResult, Profile } from '../../src/api/types.ts'
import { literal, quoted } from '../../src/profile/apparmor/quoted.ts'
import { alwaysNeeded } from '../../src/profile/seccomp/modeling.ts'
import { ownProfile } from '../../src/profile/seccomp/own-profile.ts'
import type { BuiltProfile } from './ports.ts'

/** The profiles that allow what was recorded and nothing else, under the name of the profile that recorded it. For compilers' threads. */
export function buildProfile(
  result: DynamicResult,
  { name, enforcer }: Pick<Profile, 'name' | 'enforcer'>,
): BuiltProfile {
  const { appArmor, seccomp } = result
  const profile: Profile = {
    name,
    enforcer,
    mode: 'enforce',
    ...(appArmor !== undefined && { appArmor: appArmorText(name, appArmor) }),
    ...(seccomp !== undefined && { seccomp: seccompText(seccomp.syscalls ?? []) }),
  }
  return { ok: true, profile }
}

function appArmorText(name: string, found: NonNullable<DynamicResult['appArmor']>): string {
  const { capabilities = [], networks = {}, executions = [], files = [], ptraces = [], signals = [] } = found
  const rules = [
    ...capabilities.map((one) => `capability ${one},`),
    ...(networks.sockets ?? []).map(({ domain = '', type = '' }) => `network ${`${domain} ${type}`.trim()},`),
    ...executions.map((path) => `${quoted(literal(path))} ix,`),
    ...files.map(
      ({ path, owner, permissions }) =>
        `${owner === true ? 'owner ' : ''}${quoted(literal(path))} ${permissions.join('')},`,
    ),
    ...ptraces.map(({ peer, permissions }) => `ptrace (${permissions.join(', ')})${peerOf(peer)},`),
    ...signals.map(
      ({ peer, permissions, signals: sent }) =>
        `signal (${permissions.join(', ')}) set=(${sent.join(', ')})${peerOf(peer)},`,
    ),
  ]
  const lines = ['#include <abstractions/base>', ...rules].map((rule) => `  ${rule}`)
  return `profile ${name} flags=(attach_disconnected,mediate_deleted) {\n${lines.join('\n')}\n}\n`
}

const peerOf = (peer = ''): string => (peer === '' ? '' : ` peer=${quoted(literal(peer))}`)

function seccompText(names: readonly string[]): string {
  const rules = [...new Set([...alwaysNeeded, ...names])]
    .sort()
    .map((name) => ({ name, action: 'SCMP_ACT_ALLOW' as const, when: [] }))
  return JSON.stringify(ownProfile('SCMP_ACT_ERRNO', rules))
}
