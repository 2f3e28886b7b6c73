import type { Faults } from '../sandbox/faults.ts'

/**
 * A cluster to run the suite against: an API server, controllers for workloads, and nodes. The suite brings its own
 * manager and agents.
 */
export interface ControlPlaneTarget {
  readonly name: 'embedded' | 'real'
  /** Kubeconfig of an administrator, as the text of a file. */
  readonly kubeconfig: string
  /** A kubeconfig for the managers and a kubeconfig for the agents, if they have separate accounts. */
  readonly kubeconfigs?: Partial<Record<'manager' | 'agent', string>>
  /** Creates a node that is ready and runs pods. */
  addNode(name: string): Promise<void>
  /** Removes a node and its Node object. */
  removeNode(name: string): Promise<void>
  /** Stops the API server for a while, which breaks every connection. Resolves when it serves requests again. */
  interrupt(): Promise<void>
  /** Injects faults; only the embedded server supports them. */
  readonly faults?: Faults
}

/** A function, because the suite is declared before its server runs. */
export type Target = () => ControlPlaneTarget
