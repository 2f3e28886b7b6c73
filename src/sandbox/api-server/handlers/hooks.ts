import type { KubeObject } from '../kube-object.ts'

/** What a resource does besides when it is written: addresses of services, the status of definitions. */
export interface WriteHooks {
  /**
   * Completes a draft before it is validated, and may take something for it (an address, a port). The answer gives that
   * back when the write fails.
   */
  before?(draft: KubeObject, old: KubeObject | undefined): () => void
  /** After it was stored, or, with its last state, after it went. */
  after?(stored: KubeObject): void
}
