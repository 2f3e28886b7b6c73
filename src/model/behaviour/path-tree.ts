import type { Limits } from './limits.ts'
import { LOST_BYTES, LostNames, nameHash } from './lost-names.ts'
import type { FileBits } from './permissions.ts'
import { bytesOfText, ownText, QuotaWithin, unlimited } from './room.ts'

/**
 * The facts about one path. `bits` are about the file with this path. `slash` is about the directory with this path:
 * AppArmor adds a slash to the path of a directory.
 */
export interface Node {
  children: Map<string, Node> | undefined
  bits: FileBits
  slash: FileBits
  /** For a node in `rest`, which stands for several paths: the alphabetically first of these paths. */
  example: string | undefined
  slashExample: string | undefined
  /** The facts below names that are not kept, as if all these names were one name. */
  rest: Node | undefined
  /** The names that are not kept. */
  lost: LostNames | undefined
  /** The name of the child that is removed next; undefined until it is needed. */
  last: string | undefined
  /** The bytes that the node takes from the quota, without its children. */
  bytes: number
}

/** Approximate bytes of a node in memory, without its path. In JSON, a node takes fewer bytes. */
const NODE_BYTES = 96

/** Minimum number of names that a directory keeps, even if the tree has very many directories. */
const NARROWEST = 4

const emptyNode = (bytes: number): Node => ({
  children: undefined,
  bits: 0,
  slash: 0,
  example: undefined,
  slashExample: undefined,
  rest: undefined,
  lost: undefined,
  last: undefined,
  bytes,
})

function first(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a < b ? a : b
}

/** Whether `a` is kept in preference to `b`. */
function goesBefore(a: string, b: string): boolean {
  const [hashA, hashB] = [nameHash(a), nameHash(b)]
  return hashA < hashB || (hashA === hashB && a < b)
}

/**
 * Files by path, in bounded memory. A directory keeps the names with the smallest hashes, and joins all other names in
 * `rest`. So the order of facts does not change the tree. Beyond the limits for nodes and bytes, each directory keeps
 * fewer names (`narrow`); if this does not suffice, later facts are left out and counted in `refused`.
 */
export class PathTree {
  readonly root = emptyNode(0)
  readonly refused = new LostNames()
  private nodes = 0
  /** Maximum names that a directory keeps now. */
  private directory: number
  private readonly max: number
  private readonly maxBytes: number
  private readonly room: QuotaWithin

  /** @param room a quota of twice `fileBytes`; other trees may share this quota */
  constructor(limits: Pick<Limits, 'directory' | 'nodes' | 'fileBytes'>, room?: QuotaWithin) {
    this.directory = limits.directory
    this.max = limits.nodes
    this.maxBytes = limits.fileBytes
    this.room = room ?? new QuotaWithin(2 * limits.fileBytes, unlimited)
  }

  get size(): number {
    return this.nodes
  }

  /** `path` starts with a slash. */
  add(path: string, bits: FileBits): void {
    this.insert(this.root, path, 1, bits, false)
    this.narrow()
  }

  /**
   * Makes each directory keep fewer names if the tree has too many nodes or bytes, so that all directories get a share.
   */
  private narrow(): void {
    while ((this.nodes > this.max || this.room.taken > this.maxBytes) && this.directory > NARROWEST) {
      this.directory = Math.max(NARROWEST, this.directory >>> 2)
      this.shrink(this.root, '')
    }
  }

  private shrink(node: Node, path: string): void {
    for (const name of lastNames(node, this.directory)) this.evict(node, name, `${path}/`)
    for (const [name, child] of node.children ?? []) this.shrink(child, `${path}/${name}`)
    if (node.rest !== undefined) this.shrink(node.rest, `${path}/*`)
  }

  /** @param at the index in the path at which the next name begins */
  private insert(from: Node, path: string, at: number, bits: FileBits, rest: boolean): void {
    let node = from
    let inRest = rest
    for (let begin = at; begin < path.length; ) {
      const slash = path.indexOf('/', begin)
      const name = slash < 0 ? path.slice(begin) : path.slice(begin, slash)
      const child = this.child(node, name, path.slice(0, begin))
      inRest ||= child !== undefined && child === node.rest
      if (child === undefined) {
        this.refused.add(path)
        return
      }
      node = child
      if (slash < 0) {
        this.putFile(node, bits, inRest ? path : undefined, path)
        return
      }
      begin = slash + 1
    }
    this.putDirectory(node, bits, inRest ? path : undefined, path)
  }

  private putFile(node: Node, bits: FileBits, example: string | undefined, path: string): void {
    if (this.keepsExample(node, node.example, example)) {
      node.bits |= bits
      node.example = first(node.example, example)
    } else this.refused.add(path)
  }

  private putDirectory(node: Node, bits: FileBits, example: string | undefined, path: string): void {
    if (this.keepsExample(node, node.slashExample, example)) {
      node.slash |= bits
      node.slashExample = first(node.slashExample, example)
    } else this.refused.add(path)
  }

  /** Takes bytes from the quota if the new example replaces the old example. Returns false if the quota is used up. */
  private keepsExample(node: Node, before: string | undefined, example: string | undefined): boolean {
    if (example === undefined || first(before, example) === before) return true
    const bytes = bytesOfText(example) - (before === undefined ? 0 : bytesOfText(before))
    if (bytes > 0 && !this.take(bytes)) return false
    if (bytes < 0) this.room.give(-bytes)
    node.bytes += bytes
    return true
  }

  private lose(node: Node, name: string): void {
    this.lostOf(node).add(name)
  }

  /**
   * The counter for names that the node does not keep. If the quota is used up, the node shares the counter of the
   * whole tree.
   */
  private lostOf(node: Node): LostNames {
    if (node.lost !== undefined) return node.lost
    if (!this.take(LOST_BYTES)) return this.refused
    node.bytes += LOST_BYTES
    node.lost = new LostNames()
    return node.lost
  }

  private take(bytes: number): boolean {
    if (this.directory <= NARROWEST && this.room.taken + bytes > this.maxBytes) return false
    return this.room.take(bytes)
  }

  /** The node of the name, or `rest` if the name is not kept; undefined if the quota is used up. */
  private child(node: Node, name: string, directory: string): Node | undefined {
    const known = node.children?.get(name)
    if (known !== undefined) return known
    if (!this.admits(node, name)) {
      this.lose(node, name)
      node.rest ??= this.made(directory, '*')
      return node.rest
    }
    const made = this.made(directory, name)
    if (made === undefined) return undefined
    node.children ??= new Map()
    node.children.set(ownText(name), made)
    if (node.children.size > this.directory) this.evict(node, lastOf(node), directory)
    else if (node.last !== undefined && goesBefore(node.last, name)) node.last = undefined
    return made
  }

  private made(directory: string, name: string): Node | undefined {
    // Leave space for nodes until the next narrow(): a merge with another full tree adds at most as many nodes.
    if (this.nodes >= (this.directory > NARROWEST ? 2 * this.max : this.max)) return undefined
    // Count the whole path, because JSON contains the whole path of each file.
    const bytes = NODE_BYTES + bytesOfText(directory) + bytesOfText(name)
    if (!this.take(bytes)) return undefined
    this.nodes += 1
    return emptyNode(bytes)
  }

  private admits(node: Node, name: string): boolean {
    if (node.children === undefined || node.children.size < this.directory) return true
    return goesBefore(name, lastOf(node))
  }

  private evict(node: Node, name: string, directory: string): void {
    const child = node.children!.get(name)!
    node.children!.delete(name)
    node.last = undefined
    this.lose(node, name)
    this.release(child)
    this.joinRest(node, child, directory + name)
  }

  private release(node: Node): void {
    this.nodes -= 1
    this.room.give(node.bytes)
    if (node.rest !== undefined) this.release(node.rest)
    for (const child of node.children?.values() ?? []) this.release(child)
  }

  /** @param path the path of `child`, which was not in `rest` before */
  private joinRest(node: Node, child: Node, path: string): void {
    node.rest ??= this.made(path.slice(0, path.lastIndexOf('/') + 1), '*')
    if (node.rest === undefined) this.refused.add(path)
    else this.join(node.rest, child, path, true)
  }

  merge(other: PathTree): void {
    if (other.directory < this.directory) {
      this.directory = other.directory
      this.shrink(this.root, '')
    }
    this.join(this.root, other.root, '', false)
    this.refused.merge(other.refused)
    this.narrow()
  }

  /** @param path the path of `from`; @param inRest whether `into` is below a `rest` node, where nodes have examples */
  private join(into: Node, from: Node, path: string, inRest: boolean): void {
    if (from.bits !== 0) this.putFile(into, from.bits, inRest ? (from.example ?? path) : undefined, path)
    if (from.slash !== 0)
      this.putDirectory(into, from.slash, inRest ? (from.slashExample ?? `${path}/`) : undefined, path)
    for (const [name, child] of from.children ?? []) {
      const at = `${path}/${name}`
      const own = this.child(into, name, `${path}/`)
      if (own === undefined) this.refused.add(at)
      else this.join(own, child, at, inRest || own === into.rest)
    }
    if (from.lost !== undefined) this.lostOf(into).merge(from.lost)
    if (from.rest === undefined) return
    into.rest ??= this.made(`${path}/`, '*')
    if (into.rest === undefined) this.refused.add(`${path}/*`)
    else this.join(into.rest, from.rest, `${path}/*`, true)
  }

  /**
   * The facts of all names in a directory with too many names, joined to one node: the kept names and `rest` together.
   */
  everyName(node: Node, path: string): Node {
    const tree = new PathTree({
      directory: this.directory,
      nodes: Number.POSITIVE_INFINITY,
      fileBytes: Number.POSITIVE_INFINITY,
    })
    for (const [name, child] of node.children ?? []) tree.join(tree.root, child, `${path}/${name}`, true)
    if (node.rest !== undefined) tree.join(tree.root, node.rest, `${path}/*`, true)
    return tree.root
  }
}

function lastOf(node: Node): string {
  if (node.last !== undefined) return node.last
  let last: string | undefined
  for (const name of node.children!.keys()) if (last === undefined || goesBefore(last, name)) last = name
  node.last = last
  return last!
}

/**
 * All names after the first `kept` names, in the order of `goesBefore`. Each hash is computed once, because a workload
 * may have many long names.
 */
function lastNames({ children }: Node, kept: number): string[] {
  if (children === undefined || children.size <= kept) return []
  const names = Array.from(children.keys(), (name) => ({ name, hash: nameHash(name) }))
  names.sort((a, b) => a.hash - b.hash || (a.name < b.name ? -1 : 1))
  return names.slice(kept).map(({ name }) => name)
}
