import { socketFamilies, socketTypeNumbers } from '../api/linux-sockets.ts'
import {
  AUDIT_SHIFT,
  type BpfProfile,
  CARRY,
  fileFlags,
  type Mask64,
  ptraceAccess,
  type Verdict,
} from '../profile/bpf/bpf-profile.ts'
import { lookupEgress } from '../profile/bpf/egress.ts'
import { parseAddress } from '../profile/bpf/ip-address.ts'
import { AUDIT, DENY, type EgressProtocol } from '../profile/bpf/port-set.ts'
import { capabilities } from '../rules/capabilities.ts'
import { worstOf } from './asked-paths.ts'
import { looksLikeBlockDevice } from './block-device.ts'
import { machineOf, type TableMachine } from './bpf-machine.ts'
import { mountVerdict, protectsWays } from './bpf-mounts.ts'
import { run } from './machine.ts'
import {
  allowed,
  audited,
  type Decision,
  denied,
  eitherOf,
  type FileAction,
  type FileOperation,
  type Judge,
  type Operation,
  unknown,
} from './operation.ts'

type Of<Kind extends Operation['kind']> = Extract<Operation, { kind: Kind }>

const { read, write, append, exec, way } = fileFlags
const any = read | write | append | exec
const carried = any | way

/** The flags that the hooks check for each action (native/bpf/file.bpf.c). The flag WAY applies only to directories. */
const asked: Readonly<Record<FileAction, number>> = {
  read,
  write,
  append,
  exec,
  map: exec,
  create: write,
  delete: write | way,
  rename: any | way,
  link: any | way,
  chmod: write,
  chown: write,
  setattr: write,
  getattr: 0,
  lock: 0,
}

/** The BPF programs cannot build paths of this many bytes or more (PATH_BYTES). */
const LONG_PATH = 4096

/**
 * Decides as the BPF programs do with the content of their maps. The judge knows only the given path of a file, and not
 * the paths that the file has in other mounts.
 */
export function bpfJudge(profile: BpfProfile): Judge {
  const machine = machineOf(profile.files.automaton)
  return (operation) => {
    const decision = decide(profile, machine, operation)
    return profile.mode === 'complain' && decision.outcome !== 'allowed'
      ? { ...decision, outcome: 'audited' }
      : decision
  }
}

function decide(profile: BpfProfile, machine: TableMachine, operation: Operation): Decision {
  switch (operation.kind) {
    case 'file':
      return fileDecision(profile, machine, operation)
    case 'capability':
      return byMasks(profile, capabilities.indexOf(operation.name))
    case 'socket':
      return socketDecision(profile, operation)
    case 'egress':
      return egressDecision(profile, operation)
    case 'ptrace':
      return ptraceDecision(profile, operation)
    case 'mount':
      return mountDecision(profile, machine, operation)
    case 'userns':
      return ofVerdict(profile.userns)
    case 'userfaultfd':
      return ofVerdict(profile.userfaultfd)
    case 'bpf':
      return ofVerdict(profile.bpf.find(({ command }) => command === operation.command))
    case 'signal':
    case 'syscall':
      return allowed
  }
}

export const ofVerdict = ({ deny, audit }: Verdict = { deny: false, audit: false }): Decision =>
  deny ? denied : audit ? audited : allowed

const ofFlags = (flags: number): Decision => ofVerdict({ deny: (flags & DENY) !== 0, audit: (flags & AUDIT) !== 0 })

const hasBit = ([low, high]: Mask64 = [0, 0], bit: number): boolean =>
  (((bit < 32 ? low : high) >>> (bit % 32)) & 1) === 1

function byMasks({ capabilities: masks }: BpfProfile, bit: number): Decision {
  return ofVerdict({ deny: hasBit(masks?.denyMask, bit), audit: hasBit(masks?.auditMask, bit) })
}

const ofMarks = (marks: number, wanted: number): Decision =>
  ofVerdict({ deny: (marks & wanted) !== 0, audit: ((marks >> AUDIT_SHIFT) & wanted) !== 0 })

function fileDecision(profile: BpfProfile, machine: TableMachine, operation: FileOperation): Decision {
  const path = operation.path.length > 1 ? operation.path.replace(/\/$/, '') : operation.path
  const type = operation.type ?? (path === operation.path ? undefined : 'directory')
  const device = type === 'block-device' || (type === undefined && looksLikeBlockDevice(path))
  const judge = (marks: number): Decision => {
    const all = marks | (device ? profile.blockDevices : 0)
    return profile.unlisted === undefined
      ? ofMask(all, operation.action, type)
      : ofMarks(all, askedOfList(operation.action))
  }
  if (operation.pattern !== undefined) return worstOf(operation, machine, (state) => judge(machine.marks(state)), false)
  const bytes = Buffer.from(path)
  return judge(bytes.length >= LONG_PATH ? profile.files.any : machine.marks(run(machine, bytes)))
}

/**
 * The flags that a list of allowed files must have for an action. Such a list protects no parent directories, and has a
 * separate flag for renaming or linking a file.
 */
const askedOfList = (action: FileAction): number =>
  (asked[action] & carried) === carried ? CARRY : asked[action] & any

function ofMask(marks: number, action: FileAction, type: FileOperation['type']): Decision {
  const wanted = asked[action] | (type === 'symlink' && action === 'create' ? way : 0)
  const others = ofMarks(marks, wanted & ~way)
  if ((wanted & way) === 0 || type === 'file' || type === 'block-device') return others
  const whole = ofMarks(marks, wanted)
  return type === undefined
    ? eitherOf([others, whole], 'refused only if the path is a directory, and the type of the file is not known')
    : whole
}

/** The bit of a protocol in the masks of rules (kind_of_protocol in native/bpf/network.bpf.c). */
function kindOfProtocol(type: string, given: number): number {
  return Math.min(protocolOf(type, given), LAST_PROTOCOL)
}

/** The bit that all protocols without a bit of their own share. */
const LAST_PROTOCOL = 63

function protocolOf(type: string, protocol: number): number {
  if (protocol === 0) return type === 'stream' ? 6 : type === 'dgram' ? 17 : 0
  return protocol === 262 ? 6 : protocol === 136 ? 17 : protocol
}

function socketDecision(profile: BpfProfile, { domain, type, protocol }: Of<'socket'>): Decision {
  const types = type === undefined ? (Object.keys(socketTypeNumbers) as (keyof typeof socketTypeNumbers)[]) : [type]
  const decisions = types.flatMap((one) =>
    (protocol === undefined ? [0, 1, 58] : [protocol]).map((number) =>
      socketVerdict(profile, socketFamilies.indexOf(domain), one, number),
    ),
  )
  return eitherOf(decisions, 'the type or the protocol of the socket is not known')
}

function socketVerdict(
  { sockets }: BpfProfile,
  domain: number,
  type: keyof typeof socketTypeNumbers,
  protocol: number,
): Decision {
  const kind = kindOfProtocol(type, protocol)
  const holds = (mask: Mask64, bit: number): boolean =>
    (mask[0] === 0 && mask[1] === 0) || (bit < 64 && hasBit(mask, bit))
  const matching = sockets.filter(
    ({ domainMask, typeMask, protocolMask }) =>
      holds(domainMask, domain) &&
      (typeMask === 0 || (typeMask >> socketTypeNumbers[type]) & 1) &&
      holds(protocolMask, kind),
  )
  return ofVerdict({ deny: matching.some(({ deny }) => deny), audit: matching.some(({ audit }) => audit) })
}

function egressDecision({ egress }: BpfProfile, { address, port, protocol }: Of<'egress'>): Decision {
  if (egress === undefined) return allowed
  if (parseAddress(address) === undefined) return unknown('the address is not an IP address')
  const protocols: readonly EgressProtocol[] = protocol === undefined ? ['tcp', 'udp'] : [protocol]
  const decisions = protocols.map((one) => ofFlags(lookupEgress(egress.table, address, port, one)))
  const decision = eitherOf(decisions, 'the protocol is not known')
  if (decision.outcome === 'denied' || egress.references.length === 0) return decision
  return unknown('the rules about Services, Pods or pod-self have addresses that only the cluster knows')
}

function ptraceDecision({ ptrace }: BpfProfile, { access, isOutside }: Of<'ptrace'>): Decision {
  if (ptrace === undefined) return allowed
  const bit = ptraceAccess[access]
  const inside = { deny: (ptrace.denyAll & bit) !== 0, audit: (ptrace.auditAll & bit) !== 0 }
  const outside = {
    deny: inside.deny || (ptrace.denyOutside & bit) !== 0,
    audit: inside.audit || (ptrace.auditOutside & bit) !== 0,
  }
  if (isOutside === undefined)
    return eitherOf(
      [ofVerdict(inside), ofVerdict(outside)],
      'whether the other process is outside the container is not known',
    )
  return ofVerdict(isOutside ? outside : inside)
}

function mountDecision(profile: BpfProfile, machine: TableMachine, operation: Of<'mount'>): Decision {
  const rules = mountVerdict(profile, operation)
  if (rules.outcome === 'denied') return rules
  const moves = operation.operation === 'move' || operation.operation === 'pivot-root'
  const stacked = operation.operation === 'new' && /^(?:overlay|ecryptfs)/.test(operation.fstype ?? '')
  if (protectsWays(profile) && (moves || stacked)) return denied
  const carries = ['new', 'bind', 'move', 'umount'].includes(operation.operation)
  if (!carries) return rules
  if (operation.target === undefined)
    return machine.start === undefined ? rules : unknown('the mount point is not known')
  const wanted = profile.unlisted === undefined ? carried : CARRY
  const covered = ofMarks(machine.marks(run(machine, Buffer.from(operation.target))), wanted)
  return covered.outcome === 'denied' || rules.outcome === 'allowed' ? covered : rules
}
