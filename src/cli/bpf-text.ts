import type { ModelBpf } from '../api/types.ts'
import {
  AUDIT_SHIFT,
  type Automaton,
  type BpfProfile,
  type EgressReference,
  fileFlags,
  type MountRule,
  type Verdict,
} from '../profile/bpf/bpf-profile.ts'
import type { Ports } from '../profile/bpf/port-set.ts'
import { columns } from './columns.ts'

/** The rules of a BPF profile as tables, and the sizes of their compiled form. */
export function bpfText(profile: BpfProfile): string {
  const { allowed, unlisted } = profile
  if (allowed !== undefined && unlisted !== undefined) return listText(allowed, unlisted, profile)
  const parts = [
    [
      profile.mode === 'complain'
        ? 'everything is allowed, and violations of these rules are reported'
        : 'everything is allowed except the following',
    ],
    files(profile),
    mounts(profile),
    capabilities(profile),
    sockets(profile),
    egress(profile),
    others(profile),
  ]
  return paragraphs(parts)
}

const paragraphs = (parts: readonly (readonly string[])[]): string =>
  parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')

/** The text of an allowlist profile. */
function listText(
  {
    executions = [],
    files: paths = [],
    capabilities: names = [],
    network = {},
    ptraces = [],
    mounts: places = [],
  }: ModelBpf,
  unlisted: Verdict,
  { files: { automaton } }: BpfProfile,
): string {
  const { sockets: kinds = [], egresses = [] } = network
  const files = [
    ...executions.map((path) => [path, 'exec']),
    ...paths.map(({ path, permissions }) => [path, words(permissions)]),
  ]
  return paragraphs([
    [`everything except the following is ${unlisted.deny ? 'refused' : 'allowed'} and reported`],
    [...table(['PATH', 'ALLOWED'], files), ...size('paths', automaton)],
    table(
      ['MOUNT AT', 'TYPE', 'FLAGS'],
      places.map(({ path, type = 'none', flags = [] }) => [path, type, words(flags)]),
    ),
    names.length > 0 ? [`capabilities: ${names.join(' ')}`] : [],
    table(
      ['SOCKET', 'TYPE', 'PROTOCOL'],
      kinds.map(({ domain = '-', type = 'any', protocol = 'any' }) => [domain, type, protocol]),
    ),
    table(
      ['EGRESS TO', 'PORTS'],
      egresses.map(({ ip, ports }) => [ip, ports.length === 0 ? 'any' : ports.join(',')]),
    ),
    ptraces.map(
      ({ permissions, external = false }) =>
        `ptrace: ${permissions.join(' ')} ${external ? 'also outside the container' : 'within the container'}`,
    ),
  ])
}

function table(heading: string[], rows: string[][]): string[] {
  return rows.length === 0 ? [] : [columns([heading, ...rows])]
}

function size(what: string, automaton: Automaton | undefined): string[] {
  if (automaton === undefined) return []
  const { states, classes, bytes } = automaton
  return [`${what}: automaton of ${states} states and ${classes} classes of bytes, ${bytes} bytes`]
}

function verdict({ deny, audit }: Verdict): string {
  return [deny && 'deny', audit && 'audit'].filter(Boolean).join('+') || '-'
}

function words(list: readonly string[] | undefined): string {
  return list === undefined ? 'any' : list.join(',') || '-'
}

function files({ files: { rules, automaton } }: BpfProfile): string[] {
  const rows = rules.map(({ pattern, deny, audit, way, except }) => [
    pattern,
    words(deny),
    words(audit),
    way ? 'protected' : '-',
    ...(except === undefined ? [] : [`except ${except.join(' ')}`]),
  ])
  return [...table(['PATH', 'DENY', 'AUDIT', 'WAY THERE'], rows), ...size('paths', automaton)]
}

function mounts({ mounts }: BpfProfile): string[] {
  if (mounts === undefined) return []
  const rows = mounts.rules.map((rule) => [
    words(rule.operations),
    rule.fstype ?? 'any',
    rule.source ?? 'any',
    rule.target ?? 'any',
    mountFlags(rule),
    verdict(rule),
  ])
  return [
    ...table(['MOUNT', 'TYPE', 'SOURCE', 'TARGET', 'FLAGS', 'VERDICT'], rows),
    ...size('mount sources', mounts.sources.automaton),
    ...size('mount targets', mounts.targets.automaton),
  ]
}

const ALL_FLAGS = 0xffff_ffff

function mountFlags({ set, clear }: MountRule): string {
  if (set >>> 0 === ALL_FLAGS || clear >>> 0 === ALL_FLAGS) return 'any'
  const parts = [
    set !== 0 && `0x${(set >>> 0).toString(16)} set`,
    clear !== 0 && `0x${(clear >>> 0).toString(16)} clear`,
  ]
  return parts.filter(Boolean).join(' or ') || 'any'
}

function capabilities({ capabilities }: BpfProfile): string[] {
  if (capabilities === undefined) return []
  const { deny, audit } = capabilities
  return [
    ...(deny.length > 0 ? [`capabilities denied: ${deny.join(' ')}`] : []),
    ...(audit.length > 0 ? [`capabilities audited: ${audit.join(' ')}`] : []),
  ]
}

function sockets({ sockets }: BpfProfile): string[] {
  const rows = sockets.map((rule) => [words(rule.domains), words(rule.types), words(rule.protocols), verdict(rule)])
  return table(['SOCKET', 'TYPE', 'PROTOCOL', 'VERDICT'], rows)
}

function egress({ egress }: BpfProfile): string[] {
  if (egress === undefined) return []
  const rows = [
    ...egress.destinations.map((rule) => [rule.to, portsText(rule.ports), verdict(rule)]),
    ...egress.references.map((rule) => [referenceText(rule), portsText(rule.ports), verdict(rule)]),
  ]
  return table(['EGRESS TO', 'PORTS', 'VERDICT'], rows)
}

function portsText(all: readonly Ports[]): string {
  const one = ({ port = 0, endPort, protocol }: Ports) => {
    const range = port === 0 ? 'any' : endPort === undefined || endPort === port ? `${port}` : `${port}-${endPort}`
    return protocol === undefined ? range : `${range}/${protocol}`
  }
  return all.length === 0 ? 'any' : all.map(one).join(',')
}

function referenceText(reference: EgressReference): string {
  switch (reference.kind) {
    case 'service':
      return `service ${reference.namespace}/${reference.name}`
    case 'services':
      return `services ${reference.namespace || 'of all namespaces'} ${JSON.stringify(reference.selector)}`
    case 'pods':
      return `pods ${reference.namespace || 'of all namespaces'} ${JSON.stringify(reference.selector)}`
    case 'pod-self':
      return 'its own pod'
  }
}

function others({ ptrace, userns, userfaultfd, bpf, blockDevices }: BpfProfile): string[] {
  const lines = (ptrace?.rules ?? []).map((rule) => {
    const peer = rule.scope === 'outside' ? 'processes outside the container' : 'all processes'
    return `ptrace ${words(rule.access)} with ${peer}: ${verdict(rule)}`
  })
  if (userns !== undefined) lines.push(`user namespaces: ${verdict(userns)}`)
  if (userfaultfd !== undefined) lines.push(`userfaultfd descriptors: ${verdict(userfaultfd)}`)
  for (const rule of bpf) lines.push(`bpf(${rule.command.toUpperCase()}): ${verdict(rule)}`)
  if (blockDevices !== 0) lines.push(`block devices: ${flagWords(blockDevices)}`)
  return lines
}

function flagWords(flags: number): string {
  const names = (shift: number) =>
    Object.entries(fileFlags)
      .filter(([, bit]) => (flags >> shift) & bit)
      .map(([name]) => name)
  const [deny, audit] = [names(0), names(AUDIT_SHIFT)]
  return [deny.length > 0 && `deny ${deny.join(',')}`, audit.length > 0 && `audit ${audit.join(',')}`]
    .filter(Boolean)
    .join(', ')
}
