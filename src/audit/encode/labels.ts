import { Buffer } from 'node:buffer'
import { type ValueBytes, valueBytes } from '../decode/field-bytes.ts'
import { form } from '../decode/record-fields.ts'
import { profileOfLabel } from '../enrich/profile-of-label.ts'
import type { Snapshot } from '../enrich/snapshot.ts'
import { ByteMap, hashRange } from './byte-map.ts'
import type { ProfileHead, ProfileHeads } from './event-head.ts'
import { asciiJson, putText } from './json-text.ts'
import { type Fragment, fragment, Output } from './output.ts'

/** The facts derived from the label of a process in a record. */
export interface Label {
  ours: boolean
  /** Our profiles in the label, which may be a stack of several profiles. */
  own: readonly string[]
  /**
   * The first profile in `own` that has a policy; empty without such a profile. Limits are per payer, so all made-up
   * names share one limit.
   */
  payer: string
  /** The label as a JSON string with quotes. */
  json: Fragment
  /** Whether the label contains bytes that are not UTF-8. `json` contains U+FFFD for them. */
  broken: boolean
  head: ProfileHead
}

/** Labels by their bytes in the record. There are few labels, and each occurs in many records. */
export class Labels {
  #byBytes = new ByteMap<Label>()
  #heads: ProfileHeads

  constructor(heads: ProfileHeads) {
    this.#heads = heads
  }

  /** Number of known labels. */
  get size(): number {
    return this.#byBytes.size
  }

  clear(): void {
    this.#byBytes.clear()
  }

  /**
   * @param written the value's form. It is not part of the cache's key: hex and quoted labels never have equal bytes
   */
  get(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    written: number,
    kmsg: boolean,
    snapshot: Snapshot,
  ): Label {
    const hash = hashRange(view, start, end) ^ (written === form.hex ? 1 : 0) ^ (kmsg ? 2 : 0)
    let label = this.#byBytes.get(bytes, start, end, hash)
    if (label === undefined) {
      label = this.#make(valueBytes(bytes, start, end, written, kmsg), snapshot)
      this.#byBytes.set(bytes, start, end, hash, label)
    }
    return label
  }

  #make(value: ValueBytes, snapshot: Snapshot): Label {
    const output = new Output(64)
    const broken = putText(output, value.bytes, value.start, value.end)
    const text = JSON.parse(Buffer.from(output.take()).toString('utf8')) as string
    const { name, own } = profileOfLabel(text)
    const head = this.#heads.get(name, snapshot)
    const payer = own.find((one) => snapshot.policy(one) !== undefined) ?? ''
    return { ours: own.length > 0, own, payer, json: fragment(asciiJson(text)), broken, head }
  }
}
