import type { Containerd } from './containerd.ts'
import type { ContainerRuntime, RuntimeContainer, RuntimeEvent, RuntimeTask, Sandbox } from './runtime.ts'

/**
 * Combines several containerd namespaces to one runtime, for example the namespaces of the kubelet, nerdctl, ctr and
 * Docker.
 */
export class ContainerdNamespaces implements ContainerRuntime {
  readonly #namespaces: readonly Containerd[]

  constructor(namespaces: readonly Containerd[]) {
    this.#namespaces = namespaces
  }

  close(): void {
    for (const namespace of this.#namespaces) namespace.close()
  }

  async subscribe(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<never> {
    // When a stream breaks, the caller restarts all streams, and aborts the signal to end the other streams.
    return Promise.race(this.#namespaces.map((namespace) => namespace.subscribe(sink, signal)))
  }

  containers(): Promise<RuntimeContainer[]> {
    return this.#all((namespace) => namespace.containers())
  }

  async container(id: string): Promise<RuntimeContainer | undefined> {
    for (const namespace of this.#namespaces) {
      const found = await namespace.container(id)
      if (found !== undefined) return found
    }
    return undefined
  }

  tasks(): Promise<RuntimeTask[]> {
    return this.#all((namespace) => namespace.tasks())
  }

  async sandboxes(id?: string): Promise<Sandbox[]> {
    // CRI always answers for its own namespace, so the client of any namespace can make the call.
    return (await this.#namespaces[0]?.sandboxes(id)) ?? []
  }

  async #all<One>(ask: (namespace: Containerd) => Promise<One[]>): Promise<One[]> {
    return (await Promise.all(this.#namespaces.map(ask))).flat()
  }
}
