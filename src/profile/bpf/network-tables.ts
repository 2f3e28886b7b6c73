import type { FieldError } from '../../api/field-error.ts'
import { socketFamilies, socketTypeNumbers } from '../../api/linux-sockets.ts'
import { type SocketDomain, socketDomains, socketProtocols, socketTypes } from '../../rules/meaning.ts'
import type { Skipped } from '../result.ts'
import type { EgressReference, EgressRules, SocketRule, Verdict } from './bpf-profile.ts'
import type { Draft, DraftSocket } from './draft.ts'
import { compileEgress } from './egress.ts'
import { mask64 } from './mask.ts'
import { AUDIT, DENY } from './port-set.ts'
import { tooLargeErrors } from './too-large.ts'

/** IPPROTO_ numbers (include/uapi/linux/in.h, in6.h) of the protocols that rules name. */
const protocolNumbers = { icmp: [1, 58], tcp: [6], udp: [17] } as const

/** The AF_ number of a family. */
export const domainNumber = (name: SocketDomain): number => socketFamilies.indexOf(name)

/** Merges rules with equal keys, sorted by key. The verdicts of merged rules add up. */
export function mergeBy<T extends Verdict>(rules: readonly T[], keyOf: (rule: T) => unknown): T[] {
  const merged = new Map<string, T>()
  for (const rule of rules) {
    if (!rule.deny && !rule.audit) continue
    const key = JSON.stringify(keyOf(rule))
    const known = merged.get(key)
    if (known === undefined) merged.set(key, { ...rule })
    else {
      known.deny ||= rule.deny
      known.audit ||= rule.audit
    }
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule)
}

/**
 * A rule with protocols is limited to IPv4 and IPv6, because other families use the same numbers for other protocols (6
 * is XFRM in netlink).
 */
function domainsOf({ domains, protocols }: DraftSocket): readonly SocketDomain[] | undefined {
  if (protocols === undefined) return domains
  const speaking: SocketDomain[] = ['inet', 'inet6']
  return domains === undefined ? speaking : speaking.filter((domain) => domains.includes(domain))
}

function socketRule(draft: DraftSocket & Verdict): SocketRule {
  const { types, protocols, deny, audit } = draft
  const domains = domainsOf(draft)
  const inOrder = <T extends string>(all: readonly T[], some: readonly T[]) => all.filter((name) => some.includes(name))
  return {
    deny,
    audit,
    ...(domains !== undefined && { domains: inOrder(socketDomains, domains) }),
    ...(types !== undefined && { types: inOrder(socketTypes, types) }),
    ...(protocols !== undefined && { protocols: inOrder(socketProtocols, protocols) }),
    domainMask: mask64((domains ?? []).map(domainNumber)),
    typeMask: (types ?? []).reduce((mask, name) => mask | (1 << socketTypeNumbers[name]), 0),
    protocolMask: mask64((protocols ?? []).flatMap((name) => protocolNumbers[name])),
  }
}

/** Merges the rules about sockets. Adds to `skipped` a rule that names IP protocols for other families. */
export function socketRules(draft: Draft, skipped: Skipped[]): SocketRule[] {
  const rules = draft.sockets.flatMap((rule) => {
    const left = domainsOf(rule)
    const others = (rule.domains ?? []).filter((domain) => left !== undefined && !left.includes(domain))
    if (others.length > 0) {
      const reason = `tcp, udp and icmp are protocols of the families inet and inet6, not of ${others.join(', ')}`
      const extent = left?.length === 0 ? ({ extent: 'all' } as const) : {}
      skipped.push({ enforcer: 'BPF', path: rule.from, rule: others.join(', '), reason, ...extent })
    }
    return left?.length === 0 ? [] : [socketRule(rule)]
  })
  return mergeBy(rules, ({ domains, types, protocols }) => [domains, types, protocols])
}

const flagsOf = ({ deny, audit }: Verdict): number => (deny ? DENY : 0) | (audit ? AUDIT : 0)

/** Merges the rules about outgoing connections and makes their table; undefined if there are no rules. */
export function egressRules(draft: Draft, errors: FieldError[]): EgressRules | undefined {
  const destinations = mergeBy(draft.destinations, ({ to, blocks, ports }) => [to, blocks, ports])
  const references = mergeBy(draft.references, ({ from: _, deny: _deny, audit: _audit, ...where }) => where)
  if (destinations.length === 0 && references.length === 0) return undefined
  const resolved = mergeBy(draft.resolved, ({ blocks, ports }) => [blocks, ports])
  const rules = [...destinations, ...resolved]
  const own = references.filter(({ kind }) => kind === 'pod-self')
  const withFlags = <Rule extends Verdict>(rule: Rule) => ({ ...rule, flags: flagsOf(rule) })
  const compiled = compileEgress(rules.map(withFlags), own.map(withFlags))
  if (!compiled.ok) {
    errors.push(
      ...tooLargeErrors(
        compiled,
        rules.map(({ from, to }) => ({ from, given: to })),
      ),
    )
    return undefined
  }
  return {
    destinations: destinations.map(({ to, ports, deny, audit }) => ({ to, ports: [...ports], deny, audit })),
    references: references.map(
      ({ from: _, kind, deny, audit, ports, ...where }) =>
        ({ kind, ...where, ports: [...ports], deny, audit }) as EgressReference,
    ),
    table: compiled.table,
  }
}
