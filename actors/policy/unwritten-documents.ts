import { mebibyte } from '../../src/base/bytes.ts'
import { heapBytes } from '../../src/base/heap-bytes.ts'
import type { ProfileDocument } from '../ports.ts'

/**
 * Maximum bytes of compiled documents that wait in memory until the API server has stored them: in all, and for one
 * namespace.
 */
export const MAX_UNWRITTEN = 32 * mebibyte
export const MAX_UNWRITTEN_OF_NAMESPACE = 8 * mebibyte

/**
 * Limits the compiled documents that wait in memory until they are written. A policy of a kilobyte may have a document
 * of a megabyte, and while the API server does not answer, each policy would keep its document. A policy whose document
 * does not fit drops it and compiles again later.
 */
export class UnwrittenDocuments {
  readonly #held = new Map<string, { namespace: string; bytes: number }>()
  readonly #ofNamespace = new Map<string, number>()
  /** Size in bytes of each refused document. */
  readonly #refused = new Map<string, number>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** Whether a document that was refused still does not fit, so that compiling it would be useless. */
  isRefused(policy: string, namespace: string): boolean {
    return !this.#fits(namespace, this.#refused.get(policy) ?? 0)
  }

  /** @returns whether the document fits; it replaces the policy's earlier document */
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
    return ofNamespace + bytes <= MAX_UNWRITTEN_OF_NAMESPACE && this.#bytes + bytes <= MAX_UNWRITTEN
  }

  #add(namespace: string, bytes: number): void {
    this.#bytes += bytes
    const left = (this.#ofNamespace.get(namespace) ?? 0) + bytes
    if (left > 0) this.#ofNamespace.set(namespace, left)
    else this.#ofNamespace.delete(namespace)
  }
}
