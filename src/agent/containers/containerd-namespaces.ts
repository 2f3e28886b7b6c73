import type { Containerd } from './containerd.ts'
import type { ContainerRuntime, RuntimeContainer, RuntimeEvent, RuntimeTask, Sandbox } from './runtime.ts'

/** Several containerd namespaces as one runtime: for example those of the kubelet, nerdctl, ctr and Docker. */
export class ContainerdNamespaces implements ContainerRuntime {
  readonly #namespaces: readonly Containerd[]

  constructor(namespaces: readonly Containerd[]) {
    this.#namespaces = namespaces
  }

  close(): void {
    for (const namespace of this.#namespaces) namespace.close()
  }

  async subscribe(sink: (event: RuntimeEvent) => void, signal: AbortSignal): Promise<never> {
    // When the first stream breaks, all streams restart; the signal ends the others.
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
    // CRI answers for its own namespace, so any of the namespaces may be asked.
    return (await this.#namespaces[0]?.sandboxes(id)) ?? []
  }

  async #all<One>(ask: (namespace: Containerd) => Promise<One[]>): Promise<One[]> {
    return (await Promise.all(this.#namespaces.map(ask))).flat()
  }
}
