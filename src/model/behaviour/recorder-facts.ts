import { parsePathPattern } from '../../profile/path-pattern.ts'
import { BoundedMap } from './bounded-map.ts'
import { listFiles } from './file-facts.ts'
import type { LeftOuts } from './left-out.ts'
import type { Limits } from './limits.ts'
import { LostNames } from './lost-names.ts'
import { PathTree } from './path-tree.ts'
import { BY_OTHERS, bitsOf, type FileBits, permissionsOf, type Recorder } from './permissions.ts'
import { bytesOfText, type Quota, QuotaWithin } from './room.ts'
import { addWords, dropWords, joinWords, newWords, type Words, wordsOf } from './words.ts'

/**
 * A file in a model. If `path` is a pattern, `oldPath` is one of the paths that the pattern stands for.
 */
export interface ModelFile {
  path: string
  owner?: boolean
  permissions: string[]
  oldPath?: string
}

interface PatternFact {
  bits: FileBits
  example: string
}

interface Pattern extends PatternFact {
  /** Bytes that the example takes from the quota. */
  bytes: number
}

function joinPatterns(into: PatternFact, from: PatternFact): void {
  into.bits |= from.bits
  if (from.example < into.example) into.example = from.example
}

/** Facts that both AppArmor and BPF can record, for one of these recorders. Other kinds of facts are in `Behaviour`. */
export class RecorderFacts {
  readonly executions: Words
  readonly capabilities: Words
  /** Keyed by the JSON of domain, type and protocol. */
  readonly sockets: Words
  /** Ports, keyed by address. */
  readonly egress: BoundedMap<Words>
  /** Permissions, keyed by the JSON of the peer and of whether it is outside the container. */
  readonly ptraces: BoundedMap<Words>
  private readonly files: PathTree
  private readonly patterns: BoundedMap<Pattern>
  private readonly patternRoom: Quota
  private readonly notPaths = new LostNames()
  private readonly strangeWords = new LostNames()
  private readonly badPatterns = new LostNames()
  private readonly recorder: Recorder
  private readonly limits: Limits
  private readonly others: Quota

  /** @param room quota for files; @param others quota for everything else */
  constructor(recorder: Recorder, limits: Limits, room: Quota, others: Quota) {
    this.recorder = recorder
    this.limits = limits
    this.others = others
    this.executions = newWords(limits.executions, others)
    this.capabilities = newWords(limits.capabilities, others)
    this.sockets = newWords(limits.sockets, others)
    this.egress = new BoundedMap(limits.addresses, joinWords, others, dropWords)
    this.ptraces = new BoundedMap(limits.peers, joinWords, others, dropWords)
    const files = new QuotaWithin(2 * limits.fileBytes, room)
    this.files = new PathTree(limits, files)
    this.patternRoom = {
      take: (bytes) => files.taken + bytes <= limits.fileBytes && files.take(bytes),
      give: (bytes) => files.give(bytes),
    }
    this.patterns = new BoundedMap<Pattern>(limits.patterns, joinPatterns, this.patternRoom, ({ bytes }) =>
      this.patternRoom.give(bytes),
    )
  }

  addExecution(path: string): void {
    if (this.isPath(path)) addWords(this.executions, [path])
    else this.notPaths.add(path)
  }

  addFile(path: string, permissions: readonly string[], owner: boolean): void {
    if (this.isPath(path)) this.files.add(path, this.bits(permissions, owner))
    else this.notPaths.add(path)
  }

  addPattern(text: string, example: string, permissions: readonly string[], owner: boolean): void {
    const isShort = text.length <= this.limits.name && example.length <= this.limits.name
    const parsed = parsePathPattern(text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text)
    if (!isShort || !text.startsWith('/') || !parsed.ok) {
      this.badPatterns.add(text)
      return
    }
    this.putPattern(text, this.bits(permissions, owner), example)
  }

  private putPattern(text: string, bits: FileBits, example: string): void {
    const isNew = this.patterns.get(text) === undefined
    const bytes = isNew ? bytesOfText(example) : 0
    if (!this.patternRoom.take(bytes)) this.patterns.lose(text)
    else {
      const own = this.patterns.at(text, () => ({ bits, example, bytes }))
      if (own !== undefined) joinPatterns(own, { bits, example })
      else this.patternRoom.give(bytes)
    }
  }

  addEgress(ip: string, port: number): void {
    const ports = this.egress.at(ip, this.newPorts)
    if (ports !== undefined) addWords(ports, [String(port)])
  }

  addPtrace(peer: string | undefined, permissions: readonly string[], external: boolean): void {
    const words = this.ptraces.at(JSON.stringify([peer ?? '', external]), this.newList)
    if (words !== undefined) addWords(words, permissions)
  }

  private readonly newPorts = () => newWords(this.limits.ports, this.others)
  private readonly newList = () => newWords(this.limits.words, this.others)

  private bits(permissions: readonly string[], owner: boolean): FileBits {
    const { bits, unknown } = bitsOf(this.recorder, permissions)
    for (const word of unknown) this.strangeWords.add(word)
    return owner ? bits : bits | BY_OTHERS
  }

  /** Whether the text is a path of the kernel, and within the limits. */
  private isPath(path: string): boolean {
    if (!path.startsWith('/') || path.length > this.limits.name || path.includes('\0')) return false
    if (path.includes('//') || /\/\.\.?(?:\/|$)/.test(path)) return false
    let depth = 0
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) depth += 1
    return depth <= this.limits.depth
  }

  merge(other: RecorderFacts): void {
    joinWords(this.executions, other.executions)
    joinWords(this.capabilities, other.capabilities)
    joinWords(this.sockets, other.sockets)
    this.egress.merge(other.egress, this.newPorts)
    this.ptraces.merge(other.ptraces, this.newList)
    this.files.merge(other.files)
    for (const [text, { bits, example }] of other.patterns.sorted()) this.putPattern(text, bits, example)
    if (other.patterns.lost !== undefined) this.patterns.mergeLost(other.patterns.lost)
    this.notPaths.merge(other.notPaths)
    this.strangeWords.merge(other.strangeWords)
    this.badPatterns.merge(other.badPatterns)
  }

  /** The list of files. Files that are left out are added to `leftOuts`. */
  fileList(leftOuts: LeftOuts): ModelFile[] {
    const { facts, unnamed } = listFiles(this.recorder, this.files)
    for (const { directory, lost, rule } of unnamed) {
      leftOuts.add('files', `more names than the limit, and ${reasonOf(rule)}`, lost, directory)
    }
    const byPath = new Map<string, { path: string; bits: FileBits; example?: string }>()
    for (const fact of [...facts, ...this.ownPatterns()]) {
      const key = fact.example === undefined ? fact.path : `${fact.path}\0`
      const known = byPath.get(key)
      if (known?.example === undefined || fact.example === undefined) byPath.set(key, { ...fact })
      else joinPatterns(known as PatternFact, fact as PatternFact)
    }
    return [...byPath].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, fact]) => this.fileOf(fact))
  }

  private ownPatterns() {
    return this.patterns.sorted().map(([path, { bits, example }]) => ({ path, bits, example }))
  }

  private fileOf({ path, bits, example }: { path: string; bits: FileBits; example?: string }): ModelFile {
    return {
      path,
      ...((bits & BY_OTHERS) === 0 && { owner: true }),
      permissions: permissionsOf(this.recorder, bits),
      ...(example !== undefined && { oldPath: example }),
    }
  }

  leaveOut(leftOuts: LeftOuts): void {
    const more = 'beyond the limit'
    leftOuts.add('executions', more, this.executions.lost)
    leftOuts.add('capabilities', more, this.capabilities.lost)
    leftOuts.add('sockets', more, this.sockets.lost)
    leftOuts.add('addresses', more, this.egress.lost)
    leftOuts.add('ptraces', more, this.ptraces.lost)
    leftOuts.add('patterns', more, this.patterns.lost)
    leftOuts.add('files', 'beyond the limit for all files and directories', this.files.refused)
    leftOuts.add('texts', 'not a path, or a path that is too long or too deep', this.notPaths)
    leftOuts.add('patterns', 'not a path pattern', this.badPatterns)
    leftOuts.add('words', 'unknown permissions', this.strangeWords)
    for (const [ip, ports] of this.egress.sorted()) leftOuts.add('ports', `beyond the limit for ${ip}`, ports.lost)
    for (const [, permissions] of this.ptraces.sorted()) leftOuts.add('words', more, permissions.lost)
  }

  /** Sockets and connections, sorted; undefined if there are none. */
  network() {
    const sockets = wordsOf(this.sockets).map(socketOf)
    const egresses = this.egress.sorted().map(([ip, ports]) => ({
      ip,
      ports: wordsOf(ports)
        .map(Number)
        .sort((a, b) => a - b),
    }))
    if (sockets.length === 0 && egresses.length === 0) return undefined
    return { ...(sockets.length > 0 && { sockets }), ...(egresses.length > 0 && { egresses }) }
  }

  ptraceList() {
    return this.ptraces.sorted().map(([key, permissions]) => {
      const [peer, external] = JSON.parse(key) as [string, boolean]
      return { ...(peer !== '' && { peer }), permissions: wordsOf(permissions), ...(external && { external }) }
    })
  }
}

function socketOf(key: string): { domain?: string; type?: string; protocol?: string } {
  const [domain, type, protocol] = JSON.parse(key) as [string, string, string]
  return { ...(domain !== '' && { domain }), ...(type !== '' && { type }), ...(protocol !== '' && { protocol }) }
}

const reasonOf = (rule: string): string =>
  /^[a-z-]+$/.test(rule)
    ? `the built-in rule ${rule} protects what a pattern would cover`
    : `a pattern is not possible: ${rule}`
