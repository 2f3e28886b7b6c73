import { CompiledSelector, type Labels } from '../../api/label-selector.ts'
import type { EgressTarget, LabelSelector } from '../../api/types.ts'
import type { Found, OfNamespace } from './found-addresses.ts'
import type { IpOwner } from './ip-owner.ts'
import type { Tenant } from './room.ts'

/** An ArmorProfile that uses a target. */
export interface User {
  readonly tenant: Tenant
}

/** A target's objects in one namespace. */
export interface Part {
  readonly namespace: string
  members: IpOwner[]
  /** Sum of the members' marks. If the sums of two parts are equal, the parts have the same members. */
  sum: number
  /** Key under which targets share the addresses of this part. */
  key: string | undefined
  found: Found | undefined
}

/** All addresses of a target. */
export interface Value extends Found {
  /** The addresses of each namespace. Set only if there are too many for an ArmorProfile. */
  namespaces: readonly OfNamespace[] | undefined
}

/** Bytes that an object adds to a target: references to the object, and two references to each of its addresses. */
const bytesOf = ({ groups }: IpOwner): number =>
  32 + groups.reduce((sum, { addresses }) => sum + 24 * addresses.length, 0)

/** Bytes of a target without objects, and of each profile that uses the target. */
const BYTES = 1_536
export const USE_BYTES = 32

/**
 * Maximum values of a label for which the index lists the target under each value. With more values, the index lists
 * the target under the label's key.
 */
const MAX_PLACES = 32
const MARKS = 2 ** 52

/** One named Service, or all Services or Pods that a selector selects. Profiles with equal targets share it. */
export class Target<U extends User = User> {
  readonly kind: EgressTarget['kind']
  readonly namespace: string
  readonly name: string | undefined
  readonly key: string
  readonly selector: CompiledSelector
  readonly users: U[] = []
  /** The tenants of the users, each once. The target is charged to each tenant. */
  readonly tenants: U['tenant'][] = []
  /**
   * The labels under which the index lists the target: `key` or `key=value`. The empty text if the selector requires no
   * label.
   */
  readonly places: readonly string[]
  readonly parts: Part[] = []
  bytes: number
  /** Whether all existing objects were searched. */
  isFilled = false
  value: Value | undefined
  /** Key under which targets share the value. */
  valueKey: string | undefined

  constructor({ kind, namespace, name }: EgressTarget, key: string, selector: LabelSelector) {
    this.kind = kind
    this.namespace = namespace
    this.name = name
    this.key = key
    this.selector = new CompiledSelector(selector)
    this.bytes = BYTES + 4 * key.length
    this.places = kind === 'service' ? [] : placesOf(this.selector)
  }

  get isUsed(): boolean {
    return this.users.length > 0
  }

  /** Number of conditions to check for each object. */
  get conditions(): number {
    return Math.max(1, this.selector.conditions)
  }

  /**
   * Whether the target selects an object. @param name name of the Service that is the object, or that the object
   * belongs to
   */
  matches(namespace: string, labels: Labels, name: string | undefined): boolean {
    if (this.namespace !== '' && this.namespace !== namespace) return false
    return this.kind === 'service' ? this.name === name : this.selector.matches(labels)
  }

  membersOf(namespace: string): number {
    return this.#part(namespace).members.length
  }

  /** @returns the bytes by which the target grows */
  add(namespace: string, object: IpOwner): number {
    const part = this.#part(namespace)
    // Most parts have one member, and an array literal with one element takes only one slot.
    if (part.members.length === 0) part.members = [object]
    else part.members.push(object)
    part.sum = (part.sum + object.mark) % MARKS
    const bytes = bytesOf(object)
    this.bytes += bytes
    return bytes
  }

  /** @returns the change of the target's bytes: zero or negative */
  remove(namespace: string, object: IpOwner): number {
    const part = this.#part(namespace)
    const at = part.members.indexOf(object)
    if (at < 0) return 0
    const last = part.members.pop()!
    if (at < part.members.length) part.members[at] = last
    part.sum = (part.sum - object.mark + MARKS) % MARKS
    const bytes = bytesOf(object)
    this.bytes -= bytes
    return -bytes
  }

  /** Key for the part's current members. `part.key` is the key for the members at the time of the last search. */
  keyOf(part: Part): string {
    return `${part.namespace} ${this.#suffix(part.members.length, part.sum)}`
  }

  /** Key for the current members of all parts. */
  wholeKey(): string {
    const count = this.parts.reduce((sum, { members }) => sum + members.length, 0)
    return `* ${this.#suffix(
      count,
      this.parts.reduce((sum, part) => (sum + part.sum) % MARKS, 0),
    )}`
  }

  /**
   * Whether the external addresses that a Service claims count. For a target in all namespaces they do not count.
   * Otherwise a user who may create Services could block addresses for other tenants' pods.
   */
  get countsClaimed(): boolean {
    return this.namespace !== ''
  }

  #suffix(count: number, sum: number): string {
    return `${this.countsClaimed ? 'c' : ''}${count}.${sum.toString(36)}`
  }

  /** The part of a namespace; creates a missing part. Parts are sorted by namespace. */
  #part(namespace: string): Part {
    const { parts } = this
    let [low, high] = [0, parts.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (parts[middle]!.namespace < namespace) low = middle + 1
      else high = middle
    }
    const known = parts[low]
    if (known?.namespace === namespace) return known
    const made: Part = { namespace, members: [], sum: 0, key: undefined, found: undefined }
    parts.splice(low, 0, made)
    return made
  }
}

/**
 * The index entries of the selector: its required label with the fewest values, because few objects have that label.
 */
function placesOf(selector: CompiledSelector): string[] {
  const anchors = selector.anchors().sort((a, b) => (a.values?.size ?? Infinity) - (b.values?.size ?? Infinity))
  const [anchor] = anchors
  if (anchor === undefined) return ['']
  if (anchor.values === undefined || anchor.values.size > MAX_PLACES) return [anchor.key]
  return Array.from(anchor.values, (value) => `${anchor.key}=${value}`)
}
