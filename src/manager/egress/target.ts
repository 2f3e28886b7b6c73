import { CompiledSelector, type Labels } from '../../api/label-selector.ts'
import type { EgressTarget, LabelSelector } from '../../api/types.ts'
import type { Addressed } from './addressed.ts'
import type { Found, OfNamespace } from './found-addresses.ts'
import type { Tenant } from './room.ts'

/** Who has a target: ArmorProfiles. */
export interface User {
  readonly tenant: Tenant
}

/** Who is meant in one namespace. */
export interface Part {
  readonly namespace: string
  members: Addressed[]
  /** Of the members: by it equal parts of other targets are found. */
  sum: number
  /** Under which key its addresses are shared. */
  key: string | undefined
  found: Found | undefined
}

/** All addresses of a target. */
export interface Value extends Found {
  /** Those of each namespace; made when they are too many for an ArmorProfile. */
  namespaces: readonly OfNamespace[] | undefined
}

/** What an object takes of the memory that a target has, in bytes: references to the object, and to each of its addresses twice. */
const bytesOf = ({ groups }: Addressed): number =>
  32 + groups.reduce((sum, { addresses }) => sum + 24 * addresses.length, 0)

/** Of a target with nothing that it means, and of each profile that has it. */
const BYTES = 1_536
export const USE_BYTES = 32

/** A label with more values than these is looked for by its key alone. */
const MOST_PLACES = 32
const MARKS = 2 ** 52

/** One Service, or all Services or Pods that a selector means. Profiles of all policies share it, and what is known of it. */
export class Target<U extends User = User> {
  readonly kind: EgressTarget['kind']
  readonly namespace: string
  readonly name: string | undefined
  readonly key: string
  readonly selector: CompiledSelector
  readonly users: U[] = []
  /** Those of the users, each once: they have room for it. */
  readonly tenants: U['tenant'][] = []
  /** Under which labels an object must be looked for; `key` or `key=value`, and empty where no label is needed. */
  readonly places: readonly string[]
  readonly parts: Part[] = []
  bytes: number
  /** All that there is was looked through. */
  isFilled = false
  value: Value | undefined
  /** Under which its value is shared. */
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

  /** What one look whether an object is meant takes. */
  get conditions(): number {
    return Math.max(1, this.selector.conditions)
  }

  /** Whether the object of the namespace is meant. @param name of the Service, where it is one or belongs to one */
  matches(namespace: string, labels: Labels, name: string | undefined): boolean {
    if (this.namespace !== '' && this.namespace !== namespace) return false
    return this.kind === 'service' ? this.name === name : this.selector.matches(labels)
  }

  membersOf(namespace: string): number {
    return this.#part(namespace).members.length
  }

  /** @returns bytes that it takes beyond what it took */
  add(namespace: string, object: Addressed): number {
    const part = this.#part(namespace)
    // An array that begins with one is as large as one: most have no more.
    if (part.members.length === 0) part.members = [object]
    else part.members.push(object)
    part.sum = (part.sum + object.mark) % MARKS
    const bytes = bytesOf(object)
    this.bytes += bytes
    return bytes
  }

  /** @returns bytes that it takes beyond what it took: none, or fewer */
  remove(namespace: string, object: Addressed): number {
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

  /** The addresses of a namespace's members are other ones than those that were found. */
  keyOf(part: Part): string {
    return `${part.namespace} ${this.#suffix(part.members.length, part.sum)}`
  }

  /** Of all members. */
  wholeKey(): string {
    const count = this.parts.reduce((sum, { members }) => sum + members.length, 0)
    return `* ${this.#suffix(
      count,
      this.parts.reduce((sum, part) => (sum + part.sum) % MARKS, 0),
    )}`
  }

  /** Of Services anywhere, what they claim does not count: whoever may make one would say what the pods of others cannot reach. */
  get countsClaimed(): boolean {
    return this.namespace !== ''
  }

  #suffix(count: number, sum: number): string {
    return `${this.countsClaimed ? 'c' : ''}${count}.${sum.toString(36)}`
  }

  /** In the order of their names. */
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

/** The least that an object must have: the label with the fewest values. */
function placesOf(selector: CompiledSelector): string[] {
  const anchors = selector.anchors().sort((a, b) => (a.values?.size ?? Infinity) - (b.values?.size ?? Infinity))
  const [anchor] = anchors
  if (anchor === undefined) return ['']
  if (anchor.values === undefined || anchor.values.size > MOST_PLACES) return [anchor.key]
  return Array.from(anchor.values, (value) => `${anchor.key}=${value}`)
}
