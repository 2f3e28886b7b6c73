import type { Faults } from '../sandbox/faults.ts'

/**
 * A cluster that the suite runs against: an API server, what runs workloads, and nodes. Manager and agents are the
 * suite's own.
 */
export interface ControlPlaneTarget {
  readonly name: 'embedded' | 'real'
  /** Kubeconfig of an administrator, as the text of a file. */
  readonly kubeconfig: string
  /** A kubeconfig of the managers and one of the agents, if they have accounts of their own. */
  readonly kubeconfigs?: Partial<Record<'manager' | 'agent', string>>
  /** Makes a node that is ready and runs pods. */
  addNode(name: string): Promise<void>
  /** Takes a node away, with its Node object. */
  removeNode(name: string): Promise<void>
  /** The API server is gone for a while, and with it every connection; resolves when it serves again. */
  interrupt(): Promise<void>
  /** Faults on purpose; only the embedded server has them. */
  readonly faults?: Faults
}

/** Given as a function, since a suite is declared before its server runs. */
export type Target = () => ControlPlaneTarget
