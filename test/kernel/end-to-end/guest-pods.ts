import { randomBytes } from 'node:crypto'
import type { RunResult } from '../guest/guest.ts'
import type { GuestNode } from '../guest/guest-node.ts'

/** Milliseconds that a command in a container may take. */
const patience = 300_000

const ctr = ['ctr', '--namespace', 'k8s.io']

/** Containers of pods on a node in a guest, as its containerd has them: nothing on this machine reaches its kubelet. */
export class GuestPods {
  readonly #node: GuestNode

  constructor(node: GuestNode) {
    this.#node = node
  }

  /** Runs a command in a container, whatever its exit status. */
  run(containerID: string, ...command: string[]): Promise<RunResult> {
    const exec = ['task', 'exec', '--exec-id', `e${randomBytes(4).toString('hex')}`, containerID, ...command]
    return this.#node.guest.run([...ctr, ...exec], { timeoutMs: patience })
  }

  /** Kills the first process of a container. */
  async kill(containerID: string): Promise<void> {
    await this.#node.run([...ctr, 'task', 'kill', '--signal', 'SIGKILL', containerID])
  }
}
