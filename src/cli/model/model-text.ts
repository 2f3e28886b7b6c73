import type { ArmorProfileModel, DynamicResult } from '../../api/types.ts'
import { columns } from '../columns.ts'
import { printable } from '../output.ts'
import { placeOf } from './model-source.ts'

type AppArmor = NonNullable<DynamicResult['appArmor']>
type Bpf = NonNullable<DynamicResult['bpf']>
type File = NonNullable<AppArmor['files']>[number]
type Network = NonNullable<Bpf['network']>

function part(title: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return []
  const lines = columns(rows.map((row) => row.map(printable))).split('\n')
  return [`  ${title}: ${rows.length}`, ...lines.map((line) => `    ${line}`)]
}

function fileRow({ path, owner, permissions, oldPath }: File): string[] {
  const isPattern = oldPath !== undefined && oldPath !== ''
  return [
    path,
    `${permissions.join(' ')}${owner === true ? ' (owner)' : ''}`,
    isPattern ? `replaces ${oldPath} and others` : '',
  ]
}

function networkParts({ sockets = [], egresses = [] }: Network): string[] {
  return [
    ...part(
      'sockets',
      sockets.map(({ domain = '', type = '', protocol = '' }) => [domain, type, protocol]),
    ),
    ...part(
      'connections',
      egresses.map(({ ip, ports }) => [ip, ports.join(' ')]),
    ),
  ]
}

function commonParts({ executions = [], files = [], capabilities = [], ptraces = [] }: AppArmor | Bpf): string[] {
  const isPattern = ({ oldPath = '' }: File) => oldPath !== ''
  return [
    ...part(
      'programs',
      executions.map((path) => [path]),
    ),
    ...part('patterns', files.filter(isPattern).map(fileRow)),
    ...part('files', files.filter((file) => !isPattern(file)).map(fileRow)),
    ...part(
      'capabilities',
      capabilities.map((name) => [name]),
    ),
    ...part(
      'ptraces',
      ptraces.map(({ peer = '', permissions, external }) => [
        permissions.join(' '),
        peer,
        external === true ? 'outside the container' : '',
      ]),
    ),
  ]
}

function appArmorText(facts: AppArmor): string[] {
  return [
    'AppArmor',
    ...commonParts(facts),
    ...networkParts(facts.networks ?? {}),
    ...part(
      'signals',
      (facts.signals ?? []).map(({ peer, permissions, signals }) => [permissions.join(' '), signals.join(' '), peer]),
    ),
    ...part(
      'records that do not translate to a rule',
      (facts.unhandled ?? []).map((record) => [record]),
    ),
  ]
}

function bpfText(facts: Bpf): string[] {
  return [
    'BPF',
    ...commonParts(facts),
    ...networkParts(facts.network ?? {}),
    ...part(
      'mounts',
      (facts.mounts ?? []).map(({ path, type = '', flags = [] }) => [path, type, flags.join(' ')]),
    ),
  ]
}

/**
 * The model as text: what the model allows, by enforcer. Each pattern has an example: one name that the pattern has
 * replaced.
 */
export function modelText(model: ArmorProfileModel): string {
  const { namespace, name } = placeOf(model)
  const { dynamicResult = {}, profile } = model.data
  const made = [profile?.appArmor && 'AppArmor', profile?.bpf && 'BPF', profile?.seccomp && 'Seccomp'].filter(Boolean)
  const { status } = model
  const head = [
    `ArmorProfileModel ${namespace}/${name}`,
    `  profiles: ${made.join(', ') || 'none yet'}`,
    ...(status === undefined
      ? []
      : [`  nodes: ${status.completedNumber ?? 0} of ${status.desiredNumber ?? 0} have sent their recording`]),
    ...(status?.conditions ?? []).map(
      ({ nodeName, reason = '', message = '' }) => `  ${nodeName}: ${reason} ${message}`,
    ),
  ]
  const calls = dynamicResult.seccomp?.syscalls ?? []
  const sections = [
    ...(dynamicResult.appArmor === undefined ? [] : [appArmorText(dynamicResult.appArmor)]),
    ...(dynamicResult.bpf === undefined ? [] : [bpfText(dynamicResult.bpf)]),
    ...(calls.length === 0
      ? []
      : [
          [
            'Seccomp',
            ...part(
              'system calls',
              calls.map((call) => [call]),
            ),
          ],
        ]),
  ]
  return [head.map(printable), ...sections].map((lines) => lines.join('\n')).join('\n\n')
}
