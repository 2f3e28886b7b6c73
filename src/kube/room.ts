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
  /** Whose objects are always kept. */
  exempt?: string | undefined
  /** The part of an object that is kept where there is no room for more; it has a bound, and name, namespace, uid and version. */
  outline(object: T): T
}

/**
 * How many bytes the objects of a store may take. Tenants say how many there are and how large each is, and a process that keeps them
 * all ends when its memory does. Where there is no room, the outline of an object is kept.
 */
export class Room<T extends KubeObject> {
  readonly #options: RoomOptions<T>
  readonly #sizes = new Map<string, { namespace: string; bytes: number }>()
  readonly #ofNamespace = new Map<string, number>()
  readonly #outlines = new Set<string>()
  #all = 0

  constructor(options: RoomOptions<T>) {
    this.#options = options
  }

  /** Objects of which the outline is kept. */
  get outlines(): number {
    return this.#outlines.size
  }

  /** Bytes that whole objects take. */
  get bytes(): number {
    return this.#all
  }

  /** The same room, with nothing in it. */
  emptied(): Room<T> {
    return new Room(this.#options)
  }

  /** @returns the object, or its outline */
  fit(object: T): T {
    const key = keyOf(object)
    this.forget(key)
    const why = whyOutlined(object) ?? this.#whyNot(object)
    if (why === undefined) return object
    this.#outlines.add(key)
    return whyOutlined(object) === undefined ? outlined(this.#options.outline(object), why) : object
  }

  forget(key: string): void {
    this.#outlines.delete(key)
    const known = this.#sizes.get(key)
    if (known === undefined) return
    this.#sizes.delete(key)
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
    const left = (this.#ofNamespace.get(namespace) ?? 0) + bytes
    if (left > 0) this.#ofNamespace.set(namespace, left)
    else this.#ofNamespace.delete(namespace)
  }
}
