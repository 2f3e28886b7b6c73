import type { Login } from '../cluster/kubeconfig.ts'

/**
 * A server of the Kubernetes API that the suite runs against. What a target lacks is left out of it, and skipped by
 * name.
 */
export interface ApiTarget {
  name: 'real' | 'embedded'
  /** URL, `https://host:port`. */
  server: string
  /** Certificate of the authority that the server's one comes from, in PEM. */
  ca: string
  /** An administrator: member of `system:masters`. */
  admin: Login
  /** Path of the administrator's kubeconfig. */
  kubeconfig: string
  /**
   * Makes the server forget the past, so that every resource version until now is too old. It serves again afterwards.
   */
  forgetHistory?: () => Promise<void>
}

/** Given as a function, since a suite is declared before its server runs. */
export type Target = () => ApiTarget
