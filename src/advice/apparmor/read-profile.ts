import { mountFlagBits } from '../../api/linux-mount-flags.ts'
import { type Token, tokensOf } from '../../profile/apparmor/tokens.ts'
import type { MountOptions, ProfileRule, ReadProfile } from './profile-rules.ts'

/**
 * Parses the text of a profile that a compiler of src/profile/apparmor/ wrote: one rule on each line.
 * @throws {Error} for text that no compiler writes
 */
export function readProfile(text: string): ReadProfile {
  const lines = text.split('\n').map((line) => line.trim())
  const isNewer = lines.some((line) => /^abi <abi\/4/.test(line))
  const begin = lines.findIndex((line) => line.endsWith('{'))
  if (begin < 0) throw new Error('the text does not contain a profile')
  return block(lines, begin, isNewer).profile
}

const heading = /^(?:profile |hat |\^)?"?([^\s"]+)"?\s*(?:.*?)(?:flags=\(([^)]*)\))?\s*\{$/

function block(lines: readonly string[], begin: number, isNewer: boolean): { profile: ReadProfile; end: number } {
  const [, name = '', flags = ''] = heading.exec(lines[begin]!) ?? []
  const rules: ProfileRule[] = []
  const includes: string[] = []
  const children = new Map<string, ReadProfile>()
  for (let at = begin + 1; at < lines.length; at++) {
    const line = lines[at]!
    if (line === '}')
      return { profile: { name, complain: /\bcomplain\b/.test(flags), isNewer, rules, includes, children }, end: at }
    if (line === '' || line.startsWith('#')) continue
    const include = /^include (?:if exists )?<([^>]*)>/.exec(line)
    if (include !== null) includes.push(include[1]!)
    else if (line.endsWith('{')) {
      const child = block(lines, at, isNewer)
      children.set(child.profile.name, child.profile)
      at = child.end
    } else rules.push(ruleOf(line))
  }
  throw new Error('the profile is not closed')
}

/** Reads a rule. */
export function ruleOf(line: string): ProfileRule {
  const tokens = new Tokens(tokensOf(line).filter(({ kind }) => kind !== 'comment'))
  tokens.skipPriority()
  const [audit, deny] = [tokens.takes('audit'), tokens.takes('deny')]
  tokens.takes('allow')
  const owner = tokens.takes('owner') ? 'owner' : tokens.takes('other') ? 'other' : undefined
  const common = { deny, audit, text: line.replace(/,$/, '') }
  const rule = body(tokens)
  return { ...common, ...rule, ...(rule.kind === 'file' && owner !== undefined && { owner }) } as ProfileRule
}

type Body = ProfileRule extends infer R ? (R extends ProfileRule ? Omit<R, 'deny' | 'audit' | 'text'> : never) : never

class Tokens {
  #at = 0
  readonly #tokens: readonly Token[]

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  get next(): Token | undefined {
    const token = this.#tokens[this.#at]
    return token?.kind === ',' && this.#at === this.#tokens.length - 1 ? undefined : token
  }

  take(): Token {
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw new Error('the rule ends early')
    return token
  }

  takes(text: string): boolean {
    const { next } = this
    if (next === undefined || next.kind === 'quoted' || next.text !== text) return false
    this.#at++
    return true
  }

  skipPriority(): void {
    if (!this.takes('priority')) return
    this.#at += 2
  }

  /** Reads the values in parentheses, or one value. */
  list(): string[] {
    if (!this.takes('(')) return [this.take().text]
    const values: string[] = []
    while (!this.takes(')')) {
      const token = this.take()
      if (token.kind !== ',') values.push(token.text)
    }
    return values
  }

  /** Reads the next token if it is a path or a glob. */
  value(): string | undefined {
    const { next } = this
    if (next === undefined || next.kind === '->') return undefined
    return this.take().text
  }
}

function body(tokens: Tokens): Body {
  const { next } = tokens
  if (next === undefined || next.kind === 'quoted' || /^[/@]/.test(next.text)) return fileRule(tokens)
  const keyword = tokens.take().text
  switch (keyword) {
    case 'file':
      return tokens.next === undefined ? { kind: 'file', letters: 'rwalkmx' } : fileRule(tokens)
    case 'link':
      return linkRule(tokens)
    case 'capability':
      return capabilityRule(tokens)
    case 'network':
      return networkRule(tokens)
    case 'mount':
      return mountRule(tokens)
    case 'remount':
    case 'umount':
    case 'unmount':
      return targeted(keyword === 'remount' ? 'remount' : 'umount', tokens)
    case 'pivot_root':
      return { kind: 'pivot_root' }
    case 'ptrace':
    case 'signal':
      return peerRule(keyword, tokens)
    case 'userns':
      return { kind: 'userns' }
    default:
      return { kind: 'other' }
  }
}

function fileRule(tokens: Tokens): Body {
  const glob = tokens.take().text
  const written = tokens.take().text
  const letters = written.replace(/[pciuPCIU]*x/g, 'x')
  const target = tokens.takes('->') ? tokens.take().text : undefined
  const child = target === undefined ? undefined : target.split('//').at(-1)
  return {
    kind: 'file',
    glob,
    letters: letters.includes('w') ? `${letters}a` : letters,
    ...(child !== undefined && { child }),
  }
}

function linkRule(tokens: Tokens): Body {
  const isSubset = tokens.takes('subset')
  const from = tokens.take().text
  tokens.take()
  return { kind: 'link', from, to: tokens.take().text, isSubset }
}

function capabilityRule(tokens: Tokens): Body {
  const names: string[] = []
  while (tokens.next !== undefined) names.push(tokens.take().text)
  return { kind: 'capability', ...(names.length > 0 && { names }) }
}

/** The type of an IPv4 socket for each protocol, as in the parser. */
const typeOf: Readonly<Record<string, string>> = { tcp: 'stream', udp: 'dgram', icmp: 'raw' }
const types: readonly string[] = ['stream', 'dgram', 'raw', 'rdm', 'seqpacket', 'packet']

function networkRule(tokens: Tokens): Body {
  const first = tokens.next === undefined ? undefined : tokens.take().text
  if (first === undefined) return { kind: 'network' }
  if (types.includes(first)) return { kind: 'network', type: first }
  if (typeOf[first] !== undefined) return { kind: 'network', domain: 'inet', type: typeOf[first] }
  const second = tokens.next === undefined ? undefined : tokens.take().text
  return { kind: 'network', domain: first, ...(second !== undefined && { type: typeOf[second] ?? second }) }
}

function targeted(kind: 'remount' | 'umount', tokens: Tokens): Body {
  while (tokens.next !== undefined && /^(?:v?fstype|options?)$/.test(tokens.next.text)) condition(tokens)
  const target = tokens.value()
  return { kind, ...(target !== undefined && { target }) }
}

function condition(tokens: Tokens): { name: string; within: boolean; values: string[] } {
  const name = tokens.take().text
  const within = tokens.takes('in')
  if (!within) tokens.take()
  return { name, within, values: tokens.list() }
}

function mountRule(tokens: Tokens): Body {
  let types: string[] | undefined
  let options: MountOptions | undefined
  while (tokens.next?.kind === 'word' && /^(?:v?fstype|options?)$/.test(tokens.next.text)) {
    const { name, within, values } = condition(tokens)
    if (name.endsWith('fstype')) types = [...(types ?? []), ...values]
    else options = withOptions(options ?? { needed: 0, possible: 0 }, values, within)
  }
  const source = tokens.value()
  const target = tokens.takes('->') ? tokens.take().text : undefined
  return {
    kind: 'mount',
    ...(types !== undefined && { types }),
    ...(options !== undefined && { options }),
    ...(source !== undefined && { source }),
    ...(target !== undefined && { target }),
  }
}

const { bind, rec, ...others } = mountFlagBits
const bits: Readonly<Record<string, number>> = {
  ...others,
  bind,
  rec,
  B: bind,
  rbind: bind | rec,
  R: bind | rec,
  M: others.move,
  r: others.ro,
  'read-only': others.ro,
  ...Object.fromEntries(
    (['unbindable', 'private', 'slave', 'shared'] as const).flatMap((name) => {
      const bit = others[`make-${name}`]
      return [
        [name, bit],
        [`r${name}`, bit | rec],
        [`make-r${name}`, bit | rec],
      ]
    }),
  ),
}

/** The bits of a word for mount flags; 0 for words such as `rw`, which stand for the absence of a flag. */
export const flagBits = (word: string): number => bits[word] ?? 0

function withOptions({ needed, possible }: MountOptions, words: readonly string[], within: boolean): MountOptions {
  const given = words.reduce((all, word) => all | flagBits(word), 0)
  return within ? { needed, possible: possible | given } : { needed: needed | given, possible: possible | given }
}

const accessWords: Readonly<Record<'ptrace' | 'signal', Readonly<Record<string, readonly string[]>>>> = {
  ptrace: { r: ['read'], w: ['trace'], rw: ['read', 'trace'], wr: ['read', 'trace'], tracedby: ['traceby'] },
  signal: {
    ...{ r: ['receive'], read: ['receive'], w: ['send'], write: ['send'] },
    ...{ rw: ['send', 'receive'], wr: ['send', 'receive'] },
  },
}
const allAccesses = { ptrace: ['read', 'trace', 'readby', 'traceby'], signal: ['send', 'receive'] } as const

function peerRule(kind: 'ptrace' | 'signal', tokens: Tokens): Body {
  let accesses: readonly string[] = allAccesses[kind]
  const isCondition = (): boolean => /^(?:peer|set)$/.test(tokens.next?.text ?? '')
  if (tokens.next !== undefined && !isCondition())
    accesses = tokens.list().flatMap((word) => accessWords[kind][word] ?? [word])
  let signals: string[] | undefined
  let peer: string | undefined
  while (tokens.next !== undefined && isCondition()) {
    const name = tokens.take().text
    tokens.take()
    const values = tokens.list()
    if (name === 'set') signals = values
    else peer = values[0]
  }
  const of = peer === undefined ? {} : { peer }
  return kind === 'ptrace' ? { kind, accesses, ...of } : { kind, accesses, ...(signals && { signals }), ...of }
}
