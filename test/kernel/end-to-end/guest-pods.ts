import { randomBytes } from 'node:crypto'
import type { RunResult } from '../guest/guest.ts'
import type { GuestNode } from '../guest/guest-node.ts'

/** Timeout of a command in a container, in milliseconds. */
const timeout = 300_000

const exec = (args: readonly string[]): string[] => [
  ...['task', 'exec', '--exec-id', `e${randomBytes(4).toString('hex')}`],
  ...args,
]

const ctr = ['ctr', '--namespace', 'k8s.io']

/**
 * Pods' containers on a node in a guest, read from its containerd, because this machine cannot reach the node's
 * kubelet.
 */
export class GuestPods {
  readonly #node: GuestNode

  constructor(node: GuestNode) {
    this.#node = node
  }

  /** Runs a command in a container, whatever its exit status. */
  run(containerID: string, ...command: string[]): Promise<RunResult> {
    return this.#node.guest.run([...ctr, ...exec([containerID, ...command])], { timeoutMs: timeout })
  }

  /** Starts a command in a container and leaves it running. */
  async runBehind(containerID: string, ...command: string[]): Promise<void> {
    await this.#node.run([...ctr, ...exec(['--detach', containerID, ...command])])
  }

  /** Kills the first process of a container. */
  async kill(containerID: string): Promise<void> {
    await this.#node.run([...ctr, 'task', 'kill', '--signal', 'SIGKILL', containerID])
  }
}
