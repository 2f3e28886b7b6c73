import type { Login } from '../cluster/kubeconfig.ts'

/**
 * A server of the Kubernetes API to run the suite against. An optional field is undefined if the target lacks the
 * feature; its tests are skipped.
 */
export interface ApiTarget {
  name: 'real' | 'embedded'
  /** URL, `https://host:port`. */
  server: string
  /** Certificate of the authority that issued the server's certificate, in PEM. */
  ca: string
  /** An administrator: member of `system:masters`. */
  admin: Login
  /** Path of the administrator's kubeconfig. */
  kubeconfig: string
  /**
   * Makes the server forget its history, so that every resource version until now is too old. Resolves when it serves
   * requests again.
   */
  forgetHistory?: () => Promise<void>
}

/** A function, because the suite is declared before its server runs. */
export type Target = () => ApiTarget
