import { CompiledSelector, type Labels } from '../../api/label-selector.ts'
import type { EgressTarget, LabelSelector } from '../../api/types.ts'
import type { Found, OfNamespace } from './found-addresses.ts'
import type { IpOwner } from './ip-owner.ts'
import type { Tenant } from './room.ts'

/** A user of a target: an ArmorProfile. */
export interface User {
  readonly tenant: Tenant
}

/** A target's objects in one namespace. */
export interface Part {
  readonly namespace: string
  members: IpOwner[]
  /** Sum of the members' marks: it identifies equal parts of other targets. */
  sum: number
  /** Key under which its addresses are shared. */
  key: string | undefined
  found: Found | undefined
}

/** All addresses of a target. */
export interface Value extends Found {
  /** Those of each namespace; only if they are too many for an ArmorProfile. */
  namespaces: readonly OfNamespace[] | undefined
}

/** Bytes of a target's memory that an object takes: references to the object, and two to each of its addresses. */
const bytesOf = ({ groups }: IpOwner): number =>
  32 + groups.reduce((sum, { addresses }) => sum + 24 * addresses.length, 0)

/** Bytes of a target without objects, and of each profile that has it. */
const BYTES = 1_536
export const USE_BYTES = 32

/** A label with more values is searched only by its key. */
const MAX_PLACES = 32
const MARKS = 2 ** 52

/** One Service, or all Services or Pods that a selector selects. Profiles of all policies share it and its state. */
export class Target<U extends User = User> {
  readonly kind: EgressTarget['kind']
  readonly namespace: string
  readonly name: string | undefined
  readonly key: string
  readonly selector: CompiledSelector
  readonly users: U[] = []
  /** The users' tenants, each once: they have room for it. */
  readonly tenants: U['tenant'][] = []
  /** The labels under which an object must be searched: `key` or `key=value`; empty if no label is needed. */
  readonly places: readonly string[]
  readonly parts: Part[] = []
  bytes: number
  /** All existing objects were searched. */
  isFilled = false
  value: Value | undefined
  /** Key under which its value is shared. */
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

  /** Conditions of one check of an object. */
  get conditions(): number {
    return Math.max(1, this.selector.conditions)
  }

  /** Whether it selects the object of the namespace. @param name of the Service that the object is or belongs to */
  matches(namespace: string, labels: Labels, name: string | undefined): boolean {
    if (this.namespace !== '' && this.namespace !== namespace) return false
    return this.kind === 'service' ? this.name === name : this.selector.matches(labels)
  }

  membersOf(namespace: string): number {
    return this.#part(namespace).members.length
  }

  /** @returns the additional bytes that it takes */
  add(namespace: string, object: IpOwner): number {
    const part = this.#part(namespace)
    // An array literal with one element takes one slot: most have no more.
    if (part.members.length === 0) part.members = [object]
    else part.members.push(object)
    part.sum = (part.sum + object.mark) % MARKS
    const bytes = bytesOf(object)
    this.bytes += bytes
    return bytes
  }

  /** @returns the change of its bytes: zero or negative */
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

  /** Key of a namespace's current members, whose addresses may not be found yet. */
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
   * Claims of Services in any namespace do not count: otherwise a user who may create a Service would decide what other
   * tenants' pods cannot reach.
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

/** The most selective label that an object must have: the one with the fewest values. */
function placesOf(selector: CompiledSelector): string[] {
  const anchors = selector.anchors().sort((a, b) => (a.values?.size ?? Infinity) - (b.values?.size ?? Infinity))
  const [anchor] = anchors
  if (anchor === undefined) return ['']
  if (anchor.values === undefined || anchor.values.size > MAX_PLACES) return [anchor.key]
  return Array.from(anchor.values, (value) => `${anchor.key}=${value}`)
}
