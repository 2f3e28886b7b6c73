import type { BpfContent, FileContent, NetworkAddress, NetworkContent } from '../../src/api/types.ts'
import type { BpfProfile, FileRule, Mask64, ptraceAccess, Verdict } from '../../src/profile/bpf/bpf-profile.ts'

// Bits of upstream's ArmorProfile (pkg/lsm/bpfenforcer/const.go, commit 82baa15). Our ArmorProfiles use the same bits.
const DENY = 1
const AUDIT = 2
// Write access includes append access.
const permissionBits = { exec: 1, write: 2 | 8, read: 4, append: 8 } as const
const MAY_UMOUNT = 0x200
const ptraceBits: Record<keyof typeof ptraceAccess, number> = { trace: 2, read: 4, traceby: 8, readby: 16 }
const matching = {
  precise: 0x1,
  greedy: 0x2,
  cidr: 0x20,
  ipv4: 0x40,
  ipv6: 0x80,
  port: 0x100,
  socket: 0x200,
  portRange: 0x400,
  podSelf: 0x1000,
}

const modeOf = ({ deny, audit }: Verdict): number => (deny ? DENY : 0) | (audit ? AUDIT : 0)
const bits = ([low, high]: Mask64): number => high * 2 ** 32 + low
const modes = [DENY | AUDIT, DENY, AUDIT]

/**
 * The rules of a compiled BPF profile, for clients that read upstream's ArmorProfiles. Agents load the compiled
 * `source` of the ArmorProfile instead. This form cannot express exceptions of default rules, mount targets, port
 * protocols, user namespaces, bpf(2) commands, block devices, addresses that only the cluster knows, or allowlists.
 */
export function bpfContent(profile: BpfProfile): BpfContent {
  if (profile.unlisted !== undefined) return {}
  const files = profile.files.rules.flatMap((rule) => fileContents(rule, ['read', 'write', 'append']))
  const processes = profile.files.rules.flatMap((rule) => fileContents(rule, ['exec']))
  const networks = [...socketContents(profile), ...egressContents(profile)]
  const mounts = mountContents(profile)
  return {
    ...capabilities(profile),
    ...(files.length > 0 && { files }),
    ...(processes.length > 0 && { processes }),
    ...(networks.length > 0 && { networks }),
    ...ptrace(profile),
    ...(mounts.length > 0 && { mounts }),
  }
}

function capabilities({ capabilities: rules }: BpfProfile): Pick<BpfContent, 'capabilities'> {
  if (rules === undefined) return {}
  const [deny, audit] = [bits(rules.denyMask), bits(rules.auditMask)]
  if (deny === 0 && audit === 0) return {}
  return { capabilities: { mode: (deny ? DENY : 0) | (audit ? AUDIT : 0), capabilities: deny === 0 ? audit : deny } }
}

/** One rule for each set of accesses with the same action. */
function fileContents(rule: FileRule, accesses: readonly (keyof typeof permissionBits)[]): FileContent[] {
  const fate = (access: keyof typeof permissionBits) =>
    modeOf({ deny: rule.deny.includes(access), audit: rule.audit.includes(access) })
  return modes.flatMap((mode) => {
    const permissions = accesses.reduce((all, access) => all | (fate(access) === mode ? permissionBits[access] : 0), 0)
    return permissions === 0 ? [] : [{ mode, permissions, pattern: { flags: 0, glob: rule.pattern } }]
  })
}

const socketContents = ({ sockets }: BpfProfile): NetworkContent[] =>
  sockets.map((rule) => ({
    mode: modeOf(rule),
    flags: matching.socket,
    socket: {
      ...(bits(rule.domainMask) !== 0 && { domains: bits(rule.domainMask) }),
      ...(rule.typeMask !== 0 && { types: rule.typeMask }),
      ...(bits(rule.protocolMask) !== 0 && { protocols: bits(rule.protocolMask) }),
    },
  }))

type Ports = { port?: number; endPort?: number }

function egressContents({ egress }: BpfProfile): NetworkContent[] {
  if (egress === undefined) return []
  const destinations = egress.destinations.flatMap(({ to, ports, ...verdict }) =>
    each(ports).map((one) => address(verdict, familyOf(to), { cidr: to }, one)),
  )
  const both = matching.ipv4 | matching.ipv6
  const own = egress.references.flatMap((reference) => {
    if (reference.kind !== 'pod-self') return []
    return each(reference.ports).map((one) => address(reference, matching.podSelf | both, { ip: 'pod-self' }, one))
  })
  return [...destinations, ...own]
}

/** An empty list means all ports. */
const each = (ports: readonly Ports[]): readonly Ports[] => (ports.length === 0 ? [{}] : ports)

const familyOf = (block: string): number => matching.cidr | (block.includes(':') ? matching.ipv6 : matching.ipv4)

function address(verdict: Verdict, flags: number, at: NetworkAddress, { port, endPort }: Ports): NetworkContent {
  if (port === undefined || port === 0) return { mode: modeOf(verdict), flags, address: at }
  const range = endPort !== undefined && endPort !== port
  return {
    mode: modeOf(verdict),
    flags: flags | (range ? matching.portRange : matching.port),
    address: { ...at, port, ...(range && { endPort }) },
  }
}

/** Upstream's form has only one ptrace rule, so use the widest. */
function ptrace({ ptrace: rules }: BpfProfile): Pick<BpfContent, 'ptrace'> {
  if (rules === undefined || rules.rules.length === 0) return {}
  const permissions = rules.rules.flatMap(({ access }) => access).reduce((all, access) => all | ptraceBits[access], 0)
  const deny = rules.rules.some((rule) => rule.deny)
  const audit = rules.rules.some((rule) => rule.audit)
  const all = rules.rules.some(({ scope }) => scope === 'all')
  return { ptrace: { mode: modeOf({ deny, audit }), permissions, flags: all ? matching.greedy : matching.precise } }
}

const mountContents = ({ mounts }: BpfProfile) =>
  (mounts?.rules ?? []).map((rule) => ({
    mode: modeOf(rule),
    mountFlags: (rule.set | (rule.operations.includes('umount') ? MAY_UMOUNT : 0)) >>> 0,
    reverseMountflags: rule.clear >>> 0,
    pattern: { flags: 0, glob: rule.source ?? '**' },
    fstype: rule.fstype ?? '*',
  }))
