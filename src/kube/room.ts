import { mebibyte } from '../base/bytes.ts'
import { heapBytes } from '../base/heap-bytes.ts'
import { outlined, whyOutlined } from '../base/left-out.ts'
import { type KubeObject, keyOf } from './objects.ts'

export interface RoomOptions<T> {
  /** For people: `VarmorPolicies`. */
  what: string
  /** For people, too: whose memory it is. Default managers. */
  keeper?: string
  /** Bytes that all objects may take. */
  all: number
  /** Bytes that those of one namespace may take: the others keep the rest. */
  ofNamespace: number
  /** How many objects may be kept, whole or as outlines. Default: any number. */
  objects?: { all: number; ofNamespace: number }
  /** Whose objects are always kept. */
  exempt?: string | undefined
  /** The part of an object that is kept where there is no room for more; it has a bound, and name, namespace, uid and version. */
  outline(object: T): T
}

/**
 * How many bytes the objects of a store may take. Tenants say how many there are and how large each is, and a process that keeps them
 * all ends when its memory does. Where there is no room, the outline of an object is kept; where there are too many objects, no more.
 */
export class Room<T extends KubeObject> {
  readonly #options: RoomOptions<T>
  readonly #sizes = new Map<string, { namespace: string; bytes: number }>()
  readonly #ofNamespace = new Map<string, number>()
  readonly #outlines = new Set<string>()
  readonly #objectsOfNamespace = new Map<string, number>()
  /** Namespaces of objects that are not kept at all. */
  readonly #incomplete = new Set<string>()
  #all = 0
  #dropped = 0

  constructor(options: RoomOptions<T>) {
    this.#options = options
  }

  /** Objects of which the outline is kept, or nothing: of the latter those that the last list had, or that came since. */
  get outlines(): number {
    return this.#outlines.size + this.#dropped
  }

  /** Objects that are kept. */
  get objects(): number {
    return this.#sizes.size + this.#outlines.size
  }

  /** Bytes that whole objects take. */
  get bytes(): number {
    return this.#all
  }

  /** The same room, with nothing in it. */
  emptied(): Room<T> {
    return new Room(this.#options)
  }

  /** Whether there is room for one more object of the namespace, be it for its outline. */
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

  /** A list takes the place of all before. @param list the room that it had */
  replaced(list: Room<T>): void {
    this.#dropped = list.#dropped
    this.#incomplete.clear()
    for (const namespace of list.#incomplete) this.#incomplete.add(namespace)
  }

  /**
   * @param isKept it is kept already, perhaps in another version: then it stays
   * @returns the object, or its outline; undefined where it is one too many
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

  /** Why there is no room for the object; undefined if there is, which is then taken. */
  #whyNot(object: T): string | undefined {
    const { what, keeper = 'managers', all, ofNamespace, exempt } = this.#options
    const namespace = object.metadata?.namespace ?? ''
    if (namespace === exempt) return undefined
    const bytes = heapBytes(object)
    const isMine = bytes + (this.#ofNamespace.get(namespace) ?? 0) > ofNamespace
    if (isMine || bytes + this.#all > all) {
      const [whose, most] = isMine ? [`the namespace ${namespace}`, ofNamespace] : ['all namespaces', all]
      const room = Math.round((most / mebibyte) * 10) / 10
      return `there is no room for it: ${keeper} have ${room} MiB of memory for the ${what} of ${whose}; delete some, or make them smaller`
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
