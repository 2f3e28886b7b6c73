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
  /** Sum of the members' marks: parts of two targets with the same members have the same sum. */
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

/** Maximum values of a label in the index. For more values, the target is indexed by the key of the label. */
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
  /** The tenants of the users, each once. Each tenant has room for the target. */
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

  /** Number of conditions that one check of an object takes. */
  get conditions(): number {
    return Math.max(1, this.selector.conditions)
  }

  /** Whether the target selects an object. @param name of the Service: the object, or the Service that it belongs to */
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

  /** Key of a namespace's current members. Their addresses may not be known yet. */
  keyOf(part: Part): string {
    return `${part.namespace} ${this.#suffix(part.members.length, part.sum)}`
  }

  /** Key of all members. */
  wholeKey(): string {
    const count = this.parts.reduce((sum, { members }) => sum + members.length, 0)
    return `* ${this.#suffix(
      count,
      this.parts.reduce((sum, part) => (sum + part.sum) % MARKS, 0),
    )}`
  }

  /**
   * Whether addresses that Services claim count. They do not count for targets in all namespaces. Otherwise a user who
   * may create a Service could decide which addresses other tenants' pods cannot reach.
   */
  get countsClaimed(): boolean {
    return this.namespace !== ''
  }

  #suffix(count: number, sum: number): string {
    return `${this.countsClaimed ? 'c' : ''}${count}.${sum.toString(36)}`
  }

  /** Ordered by name. */
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

/** The most selective label that an object must have: the label with the fewest values. */
function placesOf(selector: CompiledSelector): string[] {
  const anchors = selector.anchors().sort((a, b) => (a.values?.size ?? Infinity) - (b.values?.size ?? Infinity))
  const [anchor] = anchors
  if (anchor === undefined) return ['']
  if (anchor.values === undefined || anchor.values.size > MAX_PLACES) return [anchor.key]
  return Array.from(anchor.values, (value) => `${anchor.key}=${value}`)
}
