import { type FieldError, join } from '../../api/field-error.ts'
import { ipProtocols, socketFamilies, socketTypeNumbers } from '../../api/linux-sockets.ts'
import type { Allowed } from './allowed.ts'
import type { Mask64, SocketRule, Verdict } from './bpf-profile.ts'
import { MAX_SOCKET_RULES } from './limits.ts'
import { mask64 } from './mask.ts'

/** The BPF programs count all protocols from this number on as this protocol. */
export const LAST_PROTOCOL = 63
const { stream, dgram } = socketTypeNumbers
const [tcp, udp] = [6, 17]
const [mptcp, udpLite] = [262, 136]

const lower = (name: string, prefix: string): string => name.toLowerCase().replace(prefix, '')
const families = new Map<string, number>(socketFamilies.map((name, number) => [name, number]))
const types = new Map<string, number>(Object.entries(socketTypeNumbers))
const protocols = new Map<string, number>(
  Object.entries(ipProtocols).map(([number, name]) => [name.toLowerCase(), Number(number)]),
)

/** The number of a name such as `AF_INET`, `inet` or, in records, `unknown(47)`; undefined if the name is unknown. */
function numberOf(name: string, prefix: string, known: ReadonlyMap<string, number>): number | undefined {
  const digits = /^(?:unknown\()?(\d{1,5})\)?$/.exec(name)?.[1]
  return digits === undefined ? known.get(lower(name, prefix)) : Number(digits)
}

/** The number under which the BPF programs count a protocol (native/bpf/network.bpf.c). */
function kindOfProtocol(type: number, protocol: number): number {
  if (protocol === 0) return type === stream ? tcp : type === dgram ? udp : 0
  if (protocol === mptcp) return tcp
  return protocol === udpLite ? udp : Math.min(protocol, LAST_PROTOCOL)
}

/** The allowed sockets of one family: protocols by type, or any. */
type Types = Map<number, Set<number> | 'any'> | 'any'

function addSocket(
  allowed: Map<number, Types>,
  socket: { domain: number; type?: number | undefined; protocol?: number | undefined },
): void {
  const { domain, type, protocol } = socket
  const known = allowed.get(domain)
  if (known === 'any') return
  if (type === undefined) {
    allowed.set(domain, 'any')
    return
  }
  const byType = known ?? new Map<number, Set<number> | 'any'>()
  allowed.set(domain, byType)
  const before = byType.get(type)
  if (before === 'any') return
  if (protocol === undefined) byType.set(type, 'any')
  else byType.set(type, new Set([...(before ?? []), kindOfProtocol(type, protocol)]))
}

/** The mask of all bits except the given bits. */
const others = (bits: Iterable<number>): Mask64 => {
  const [low, high] = mask64([...bits])
  return [~low >>> 0, ~high >>> 0]
}

/** Rules about all sockets except the allowed sockets. */
export function allowedSockets(all: readonly Allowed[], verdict: Verdict, errors: FieldError[]): SocketRule[] {
  const allowed = new Map<number, Types>()
  for (const { behaviour, path } of all)
    for (const [i, socket] of (behaviour.network?.sockets ?? []).entries()) {
      const at = join(join(join(path, 'network'), 'sockets'), i)
      const read = (field: 'domain' | 'type' | 'protocol', prefix: string, known: ReadonlyMap<string, number>) => {
        const name = socket[field]
        if (name === undefined || name === '') return undefined
        const number = numberOf(name, prefix, known)
        if (number === undefined)
          errors.push({ code: 'NOT_ALLOWED', path: join(at, field), given: name, problem: 'the name is not known' })
        return number
      }
      const domain = read('domain', 'af_', families)
      const type = read('type', 'sock_', types)
      const protocol = read('protocol', 'ipproto_', protocols)
      if (domain === undefined || domain > LAST_PROTOCOL) {
        if (socket.domain === undefined)
          errors.push({
            code: 'REQUIRED',
            path: join(at, 'domain'),
            problem: 'a socket rule must have a family, such as AF_INET',
          })
      } else addSocket(allowed, { domain, type, protocol })
    }
  const rule = (domainMask: Mask64, typeMask: number, protocolMask: Mask64): SocketRule => ({
    ...verdict,
    ...{ domainMask, typeMask, protocolMask },
  })
  const any: Mask64 = [0, 0]
  const rules = [rule(allowed.size === 0 ? any : others(allowed.keys()), 0, any)]
  for (const [domain, byType] of [...allowed].sort(([a], [b]) => a - b)) {
    if (byType === 'any') continue
    const mask = mask64([domain])
    rules.push(rule(mask, others(byType.keys())[0], any))
    for (const [type, some] of [...byType].sort(([a], [b]) => a - b))
      if (some !== 'any') rules.push(rule(mask, 1 << type, others(some)))
  }
  if (rules.length > MAX_SOCKET_RULES) {
    const bound = `${MAX_SOCKET_RULES} different socket rules`
    errors.push({ code: 'TOO_LARGE', path: '', problem: `the allowed sockets take more than ${bound}` })
  }
  return rules
}
