import { capabilities } from '../../rules/capabilities.ts'
import { type SocketType, socketDomains, socketTypes } from '../../rules/meaning.ts'
import type { Statement } from './statement.ts'

// Rules about objects other than files: capabilities, sockets, processes, buses, limits.

/** The accesses of each kind of rule. If an access has two names, the name of the parser's own grammar comes first. */
const accesses = {
  ptrace: ['read', 'trace', 'readby', 'tracedby', 'r', 'w', 'rw', 'wr'],
  signal: ['send', 'receive', 'read', 'write', 'r', 'w', 'rw', 'wr'],
  dbus: ['send', 'receive', 'bind', 'eavesdrop', 'read', 'write', 'r', 'w', 'rw', 'wr'],
  unix: [
    ...['create', 'bind', 'listen', 'accept', 'connect', 'shutdown', 'getattr', 'setattr', 'getopt', 'setopt'],
    ...['send', 'receive', 'read', 'write', 'r', 'w', 'rw', 'wr'],
  ],
} as const

// biome-ignore format: a table reads better
const signals: readonly string[] = [
  'hup', 'int', 'quit', 'ill', 'trap', 'abrt', 'bus', 'fpe', 'kill', 'usr1', 'segv', 'usr2', 'pipe', 'alrm', 'term', 'stkflt',
  'chld', 'cont', 'stop', 'stp', 'ttin', 'ttou', 'urg', 'xcpu', 'xfsz', 'vtalrm', 'prof', 'winch', 'io', 'pwr', 'sys', 'emt',
  'exists', ...Array.from({ length: 33 }, (_, i) => `rtmin+${i}`),
]

export function capabilityRule(statement: Statement): string {
  const names: string[] = []
  while (statement.goesOn(capabilities)) names.push(statement.oneOf(capabilities, 'capability'))
  return ['capability', ...names].join(' ')
}

/** Types that network.c accepts for every family, and protocols, which network.c converts to types. */
const types: readonly SocketType[] = socketTypes.filter((type) => type !== 'dccp')
const protocols = ['tcp', 'udp', 'icmp']

export function networkRule(statement: Statement): string {
  if (statement.next === undefined) return 'network'
  const first = statement.oneOf([...socketDomains, ...types, ...protocols], 'socket family, type or protocol')
  if (!statement.goesOn([...types, ...protocols])) return `network ${first}`
  const second = statement.oneOf([...types, ...protocols], 'socket type or protocol')
  const internet = first === 'inet' || first === 'inet6'
  const possible = second === 'icmp' ? first === 'inet' : !protocols.includes(second) || internet
  if (!possible || !(socketDomains as readonly string[]).includes(first))
    statement.fail(`AppArmor does not support the socket "${first} ${second}"`)
  return `network ${first} ${second}`
}

interface Conditions {
  texts: string[]
  names: string[]
}

/** `NAME=VALUE` for each name at most once. */
function conditions(statement: Statement, names: readonly string[], read: (name: string) => string): Conditions {
  const found: Conditions = { texts: [], names: [] }
  while (statement.next?.kind === 'word' && statement.following?.kind === '=') {
    const name = statement.oneOf(names, 'condition of this rule')
    if (found.names.includes(name)) statement.fail(`"${name}" is given twice`)
    statement.take()
    found.names.push(name)
    found.texts.push(`${name}=${read(name)}`)
  }
  return found
}

function accessesOf(statement: Statement, kind: keyof typeof accesses): string[] {
  const { next, following } = statement
  if (next === undefined || (next.kind === 'word' && following?.kind === '=')) return []
  return statement.listOf(() => statement.oneOf(accesses[kind], `access of a ${kind} rule`))
}

function rule(kind: string, access: readonly string[], conds: readonly string[]): string {
  return [kind, ...(access.length === 0 ? [] : [`(${access.join(',')})`]), ...conds].join(' ')
}

export function ptraceRule(statement: Statement): string {
  const access = accessesOf(statement, 'ptrace')
  return rule('ptrace', access, conditions(statement, ['peer'], () => statement.value()).texts)
}

export function signalRule(statement: Statement): string {
  const access = accessesOf(statement, 'signal')
  const set = () => `(${statement.listOf(() => statement.oneOf(signals, 'signal')).join(',')})`
  const read = (name: string) => (name === 'set' ? set() : statement.value())
  return rule('signal', access, conditions(statement, ['set', 'peer'], read).texts)
}

/** `peer=(name=… label=…)`: conditions on the other side. */
function peer(statement: Statement, names: readonly string[], read: (name: string) => string): Conditions {
  if (!statement.takes('(')) statement.fail('a peer must be in parentheses: peer=(label=NAME)')
  const found: Conditions = { texts: [], names: [] }
  while (!statement.takes(')')) {
    if (statement.takes(',')) continue
    const { texts, names: more } = conditions(statement, names, read)
    if (more.length === 0) statement.fail(`expected a condition of the peer, found ${statement.found()}`)
    found.texts.push(...texts)
    found.names.push(...more)
  }
  if (found.names.length === 0) statement.fail('the description of the peer is empty')
  return found
}

/** Conditions on this side, then on the peer, as in dbus.cc and af_unix.cc. */
function bothSides(
  statement: Statement,
  own: readonly string[],
  others: readonly string[],
  read: (name: string) => string,
) {
  const peers: Conditions[] = []
  const { texts, names } = conditions(statement, [...own, 'peer'], (name) => {
    if (name !== 'peer') return read(name)
    const described = peer(statement, others, read)
    peers.push(described)
    return `(${described.texts.join(' ')})`
  })
  const last = names.at(-1)
  if (names.includes('peer') && last !== 'peer') statement.fail('the peer must come last')
  return { texts, names: names.filter((name) => name !== 'peer'), peerNames: peers.flatMap((each) => each.names) }
}

export function dbusRule(statement: Statement): string {
  const access = accessesOf(statement, 'dbus')
  const side = bothSides(statement, ['bus', 'path', 'interface', 'member', 'name'], ['name', 'label'], () =>
    statement.value(),
  )
  const message = side.peerNames.length > 0 || side.names.some((name) => ['path', 'interface', 'member'].includes(name))
  const service = side.names.includes('name')
  const speaks = access.some((each) => each !== 'bind' && each !== 'eavesdrop')
  if (message && service) statement.fail('use "name" with "bind", and the other conditions with "send" and "receive"')
  if (message && access.includes('bind'))
    statement.fail('"bind" takes a bus and a name only, not conditions of a message')
  if (service && speaks)
    statement.fail(
      '"name" is the name of this side and belongs to "bind"; write the name of the other side as peer=(name=…)',
    )
  if (access.includes('eavesdrop') && (message || service)) statement.fail('"eavesdrop" takes a bus only')
  return rule('dbus', access, side.texts)
}

/** Accesses that have a peer (AA_PEER_NET_PERMS). */
const withPeer: readonly string[] = ['send', 'receive', 'read', 'write', 'r', 'w', 'rw', 'wr', 'accept', 'connect']

export function unixRule(statement: Statement): string {
  const access = accessesOf(statement, 'unix')
  const read = (name: string) => (name === 'type' ? statement.oneOf(types, 'socket type') : address(statement, name))
  const side = bothSides(statement, ['type', 'addr'], ['addr', 'label'], read)
  const alone = access.filter((each) => !withPeer.includes(each))
  if (side.peerNames.length > 0 && alone.length > 0) statement.fail(`${alone.join(', ')} cannot have a peer`)
  return rule('unix', access, side.texts)
}

function address(statement: Statement, name: string): string {
  const text = statement.next?.text ?? ''
  if (name === 'addr' && !/^(?:@|none$|auto$)/.test(text))
    statement.fail('an address must be abstract ("@NAME"), "none" or "auto"')
  return statement.value()
}

const memory = ['fsize', 'data', 'stack', 'core', 'rss', 'as', 'memlock', 'msgqueue']
const counts = ['nofile', 'ofile', 'nproc', 'locks', 'sigpending', 'rtprio']
const times = ['cpu', 'rttime']
const units: Record<string, readonly string[]> = {
  memory: ['K', 'KB', 'M', 'MB', 'G', 'GB'],
  times: [
    's',
    'sec',
    'second',
    'seconds',
    'min',
    'minute',
    'minutes',
    'h',
    'hour',
    'hours',
    'd',
    'day',
    'days',
    'week',
    'weeks',
  ],
}

/** `set rlimit NAME <= VALUE`, with the parser's units. */
export function rlimitRule(statement: Statement): string {
  if (!statement.takesWord('rlimit')) statement.fail('"rlimit" must follow "set"; variables cannot be set here')
  const name = statement.oneOf([...memory, ...counts, ...times, 'nice'], 'limit')
  statement.expect('<=')
  const token = statement.take()
  if (token.text === 'infinity') return `set rlimit ${name} <= infinity`
  const match = /^(-?\d{1,15})([A-Za-z]*)$/.exec(token.text)
  if (match === null) statement.fail(`${JSON.stringify(token.text)} is not a number`)
  const unit = match[2] !== '' ? match[2]! : statement.next?.line === token.line ? statement.take().text : ''
  checkLimit(statement, name, Number(match[1]), unit)
  return `set rlimit ${name} <= ${match[1]}${unit === '' ? '' : ` ${unit}`}`
}

function checkLimit(statement: Statement, name: string, value: number, unit: string): void {
  const kind = memory.includes(name) ? 'memory' : times.includes(name) ? 'times' : ''
  const allowed = units[kind] ?? []
  if (unit !== '' && !allowed.includes(unit)) {
    statement.fail(
      `${JSON.stringify(unit)} is not a unit of ${name}${allowed.length > 0 ? `; units: ${allowed.join(', ')}` : ''}`,
    )
  }
  const [least, max] = name === 'nice' ? [-20, 19] : [0, Number.MAX_SAFE_INTEGER]
  if (value < least || value > max) statement.fail(`${name} must be from ${least} to ${max}`)
}
