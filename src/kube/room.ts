import { mebibyte } from '../base/bytes.ts'
import { heapBytes } from '../base/heap-bytes.ts'
import { outlined, whyOutlined } from '../base/left-out.ts'
import { type KubeObject, keyOf } from './objects.ts'

export interface RoomOptions<T> {
  /** For messages: `VarmorPolicies`. */
  what: string
  /** For messages: the programs whose memory is limited. Default: managers. */
  keeper?: string
  /** Maximum bytes of all objects. */
  all: number
  /** Maximum bytes of the objects of one namespace. */
  ofNamespace: number
  /** Maximum number of objects, whole or as outlines. Default: no limit. */
  objects?: { all: number; ofNamespace: number }
  /** Namespace whose objects are always kept. */
  exempt?: string | undefined
  /**
   * The part of an object that is kept if the object does not fit. Its size must be limited, and it must have name,
   * namespace, uid and version.
   */
  outline(object: T): T
}

/**
 * Limits the memory of a store. Tenants decide the number and the size of objects, so a process that keeps all objects
 * could run out of memory. An object that does not fit is kept as an outline; beyond the maximum number, it is not kept
 * at all.
 */
export class Quota<T extends KubeObject> {
  readonly #options: RoomOptions<T>
  readonly #sizes = new Map<string, { namespace: string; bytes: number }>()
  readonly #ofNamespace = new Map<string, number>()
  readonly #outlines = new Set<string>()
  readonly #objectsOfNamespace = new Map<string, number>()
  /** Namespaces with objects that are not kept at all. */
  readonly #incomplete = new Set<string>()
  #all = 0
  #dropped = 0

  constructor(options: RoomOptions<T>) {
    this.#options = options
  }

  /**
   * Number of objects that are kept as an outline or not at all. Objects that are not kept are counted since the last
   * list.
   */
  get outlines(): number {
    return this.#outlines.size + this.#dropped
  }

  /** Number of kept objects. */
  get objects(): number {
    return this.#sizes.size + this.#outlines.size
  }

  /** Bytes of whole objects. */
  get bytes(): number {
    return this.#all
  }

  /** The same limits, empty. */
  emptied(): Quota<T> {
    return new Quota(this.#options)
  }

  /** Whether another object of the namespace fits, at least as an outline. */
  takesMore(namespace: string): boolean {
    const { objects, exempt } = this.#options
    if (objects === undefined || namespace === exempt) return true
    const ofNamespace = this.#objectsOfNamespace.get(namespace) ?? 0
    return ofNamespace < objects.ofNamespace && this.objects < objects.all
  }

  /** Whether the namespace may have objects that are not kept at all. */
  isIncomplete(namespace: string): boolean {
    return this.#incomplete.has(namespace)
  }

  /** Call this when a list replaces all objects. @param list the room that the list has used */
  replaced(list: Quota<T>): void {
    this.#dropped = list.#dropped
    this.#incomplete.clear()
    for (const namespace of list.#incomplete) this.#incomplete.add(namespace)
  }

  /**
   * Decides how much of an object is kept.
   * @param isKept whether an earlier version of the object is already kept; if so, the object is always kept, at least
   * as an outline
   * @returns the object, or its outline; undefined if it exceeds the maximum number
   */
  fit(object: T, isKept = false): T | undefined {
    const key = keyOf(object)
    const namespace = object.metadata?.namespace ?? ''
    this.forget(key)
    if (!isKept && !this.takesMore(namespace)) {
      this.#dropped++
      this.#incomplete.add(namespace)
      return undefined
    }
    this.#count(namespace, 1)
    const why = whyOutlined(object) ?? this.#whyNot(object)
    if (why === undefined) return object
    this.#outlines.add(key)
    return whyOutlined(object) === undefined ? outlined(this.#options.outline(object), why) : object
  }

  forget(key: string): void {
    if (this.#outlines.delete(key)) this.#count(namespaceOf(key), -1)
    const known = this.#sizes.get(key)
    if (known === undefined) return
    this.#sizes.delete(key)
    this.#count(known.namespace, -1)
    this.#add(known.namespace, -known.bytes)
  }

  /** Reserves the bytes of the object if they fit. @returns why the object does not fit; undefined if it fits */
  #whyNot(object: T): string | undefined {
    const { what, keeper = 'managers', all, ofNamespace, exempt } = this.#options
    const namespace = object.metadata?.namespace ?? ''
    if (namespace === exempt) return undefined
    const bytes = heapBytes(object)
    const isMine = bytes + (this.#ofNamespace.get(namespace) ?? 0) > ofNamespace
    if (isMine || bytes + this.#all > all) {
      const [whose, max] = isMine ? [`the namespace ${namespace}`, ofNamespace] : ['all namespaces', all]
      const room = Math.round((max / mebibyte) * 10) / 10
      return `it exceeds a memory limit: ${keeper} keep at most ${room} MiB of ${what} of ${whose}; delete some ${what}, or make them smaller`
    }
    this.#sizes.set(keyOf(object), { namespace, bytes })
    this.#add(namespace, bytes)
    return undefined
  }

  #add(namespace: string, bytes: number): void {
    this.#all += bytes
    add(this.#ofNamespace, namespace, bytes)
  }

  #count(namespace: string, objects: number): void {
    if (namespace !== this.#options.exempt) add(this.#objectsOfNamespace, namespace, objects)
  }
}

const namespaceOf = (key: string): string => key.slice(0, Math.max(0, key.indexOf('/')))

function add(sums: Map<string, number>, name: string, amount: number): void {
  const sum = (sums.get(name) ?? 0) + amount
  if (sum > 0) sums.set(name, sum)
  else sums.delete(name)
}
