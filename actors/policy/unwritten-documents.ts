import { mebibyte } from '../../src/base/bytes.ts'
import { heapBytes } from '../../src/base/heap-bytes.ts'
import type { ProfileDocument } from '../ports.ts'

/** Bytes of memory that compiled documents may take until the API server has them: all documents, and those of one namespace. */
export const MOST_UNWRITTEN = 32 * mebibyte
export const MOST_UNWRITTEN_OF_NAMESPACE = 8 * mebibyte

/**
 * The compiled documents that policies hold until they are written. A policy of a kilobyte may have a document of a megabyte, and
 * while the API server does not answer each policy would hold one. A policy that finds no room compiles again later.
 */
export class UnwrittenDocuments {
  readonly #held = new Map<string, { namespace: string; bytes: number }>()
  readonly #ofNamespace = new Map<string, number>()
  /** Bytes of the document for which a policy found no room. */
  readonly #refused = new Map<string, number>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** Whether there is still no room for the document that was refused: then to compile it is of no use. */
  isRefused(policy: string, namespace: string): boolean {
    return !this.#fits(namespace, this.#refused.get(policy) ?? 0)
  }

  /** @returns whether there is room for the document of this policy, in place of an earlier one */
  take(policy: string, namespace: string, document: ProfileDocument): boolean {
    this.drop(policy)
    const bytes = heapBytes(document)
    if (!this.#fits(namespace, bytes)) {
      this.#refused.set(policy, bytes)
      return false
    }
    this.#held.set(policy, { namespace, bytes })
    this.#add(namespace, bytes)
    return true
  }

  drop(policy: string): void {
    this.#refused.delete(policy)
    const held = this.#held.get(policy)
    if (held === undefined) return
    this.#held.delete(policy)
    this.#add(held.namespace, -held.bytes)
  }

  #fits(namespace: string, bytes: number): boolean {
    const ofNamespace = this.#ofNamespace.get(namespace) ?? 0
    return ofNamespace + bytes <= MOST_UNWRITTEN_OF_NAMESPACE && this.#bytes + bytes <= MOST_UNWRITTEN
  }

  #add(namespace: string, bytes: number): void {
    this.#bytes += bytes
    const left = (this.#ofNamespace.get(namespace) ?? 0) + bytes
    if (left > 0) this.#ofNamespace.set(namespace, left)
    else this.#ofNamespace.delete(namespace)
  }
}
