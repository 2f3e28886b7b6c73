import type { SocketDomain, SocketType } from '../../rules/meaning.ts'
import type { AppArmorFeatures } from '../context.ts'
import type { CompiledRestriction as Restriction } from '../node-disks.ts'
import { type FileContext, fileRules } from './file-rules.ts'
import { mountRules } from './mount-rules.ts'
import { forbid } from './verdict.ts'

/** The context on which the rules of a restriction depend. */
export interface RestrictionContext extends FileContext {
  features: AppArmorFeatures
  /** See CompileContext. */
  blockDevices: readonly string[]
  /**
   * Equal for equal contexts. Absent if the rules depend on more than the restriction and the context: on disks of the
   * node, or on programs with their own rules.
   */
  key?: string
}

/** AppArmor rules for a restriction, and the unsupported parts in words for the user. */
export interface RestrictionRules {
  rules: readonly string[]
  missing: readonly string[]
}

type Socket = Extract<Restriction, { kind: 'socket' }>

/**
 * AppArmor checks the family and the type of a socket, not the protocol. So TCP means every stream socket of both
 * families (upstream's `network tcp`: only IPv4), and ICMP means raw sockets: ping sockets look like UDP's datagram
 * sockets.
 */
const protocolSockets: Record<NonNullable<Socket['protocols']>[number], readonly SocketType[]> = {
  tcp: ['stream'],
  udp: ['dgram'],
  icmp: ['raw'],
}
const internet: readonly SocketDomain[] = ['inet', 'inet6']

/** Types that have a word in apparmor_parser (network.c). Only a rule about a whole family covers other types. */
const spokenTypes: ReadonlySet<SocketType> = new Set(['stream', 'dgram', 'raw', 'rdm', 'seqpacket', 'packet'])

function socketRules({ domains, types, protocols }: Socket): string[] {
  if (protocols !== undefined) {
    const within = (domains ?? internet).filter((domain) => internet.includes(domain))
    return within.flatMap((domain) =>
      [...new Set(protocols.flatMap((protocol) => protocolSockets[protocol]))].map(
        (type) => `network ${domain} ${type}`,
      ),
    )
  }
  const spoken = types?.filter((type) => spokenTypes.has(type))
  if (domains === undefined) return spoken === undefined ? ['network'] : spoken.map((type) => `network ${type}`)
  return domains.flatMap((domain) => spoken?.map((type) => `network ${domain} ${type}`) ?? [`network ${domain}`])
}

/** Uses AppArmor's word `tracedby` for `traceby`. */
function ptraceRule({ access }: Extract<Restriction, { kind: 'ptrace' }>): string {
  return `ptrace (${access.map((each) => (each === 'traceby' ? 'tracedby' : each)).join(',')})`
}

function says(rules: readonly string[]): RestrictionRules {
  return { rules, missing: [] }
}

function cannot(missing: string): RestrictionRules {
  return { rules: [], missing: [missing] }
}

function unspoken({ types = [] }: Socket): Pick<RestrictionRules, 'missing'> {
  const lost = types.filter((type) => !spokenTypes.has(type))
  return { missing: lost.map((type) => `AppArmor cannot name sockets of type ${type}`) }
}

/** The rules of restrictions other than paths and mounts, which are merged separately. */
function otherRules(
  restriction: Exclude<Restriction, { kind: 'path' | 'mount' }>,
  context: RestrictionContext,
): RestrictionRules {
  const { verdict } = context
  switch (restriction.kind) {
    case 'capability':
      return says(forbid(verdict, `capability ${restriction.names.join(' ')}`))
    case 'socket':
      return { rules: socketRules(restriction).flatMap((rule) => forbid(verdict, rule)), ...unspoken(restriction) }
    case 'ptrace':
      if (restriction.scope === 'outside') return cannot('AppArmor cannot name all processes outside of a container')
      return says(forbid(verdict, ptraceRule(restriction)))
    case 'userns':
      if (!context.features.userns) return cannot('rules about user namespaces need AppArmor 4.0 and Linux 6.7')
      return says(forbid(verdict, 'userns'))
    case 'egress':
    case 'service':
      return cannot('AppArmor checks families and types of sockets, not addresses')
    case 'userfaultfd':
      return cannot('AppArmor does not check userfaultfd(2)')
    case 'bpf':
      return cannot('AppArmor does not check bpf(2)')
    case 'block-device':
      return cannot('AppArmor identifies devices by their paths, not by their inodes')
  }
}

function ofKind<K extends Restriction['kind']>(restrictions: readonly Restriction[], kind: K) {
  return restrictions.filter((each): each is Extract<Restriction, { kind: K }> => each.kind === kind)
}

/** If all mounts are refused anyway, only rules about unmounting are needed. */
function mountsOf(restrictions: readonly Restriction[], { mountsAllowed }: RestrictionContext) {
  const mounts = ofKind(restrictions, 'mount')
  return mountsAllowed
    ? mounts
    : mounts.map((each) => ({ ...each, operations: each.operations.filter((one) => one === 'umount') }))
}

/** The rules for the restrictions of one built-in rule, and the parts that AppArmor does not support. */
export function restrictionRules(restrictions: readonly Restriction[], context: RestrictionContext): RestrictionRules {
  const others = restrictions.flatMap((each) =>
    each.kind === 'path' || each.kind === 'mount' ? [] : [otherRules(each, context)],
  )
  const rules = [
    ...fileRules(ofKind(restrictions, 'path'), context),
    ...mountRules(mountsOf(restrictions, context), context.verdict),
    ...others.flatMap((each) => each.rules),
  ]
  return { rules: [...new Set(rules)], missing: [...new Set(others.flatMap(({ missing }) => missing))] }
}
