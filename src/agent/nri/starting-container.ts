import type { NodeContainer } from '../containers/runtime.ts'
import { NriError } from './nri-error.ts'
import type { WireContainer, WirePod } from './nri-messages.ts'

type Described = 'containerName' | 'podName' | 'podNamespace' | 'podUID' | 'sandboxID' | 'podLabels' | 'podAnnotations'

/**
 * A container that is starting, or that started before the plugin connected. The fields have the names that
 * ContainerWatch uses.
 */
export interface StartingContainer extends Pick<NodeContainer, 'containerID' | 'annotations' | Described> {
  labels: Readonly<Record<string, string>>
  /**
   * A pid in the node's pid namespace. At the start, this process belongs to the runtime: it waits in the container's
   * cgroup and namespaces and then executes the container's program. undefined if the runtime does not report it.
   */
  initPid: number | undefined
}

/** @throws {NriError} PROTOCOL for a container without an id */
export function startingContainer(container: WireContainer | null, pod: WirePod | null | undefined): StartingContainer {
  if (container === null || !isContainerId(container.id))
    throw new NriError('PROTOCOL', 'a request without a container')
  return described(container, pod)
}

/** Whether a runtime can have made this id. The longest ids of containerd have 76 characters. */
export const isContainerId = (id: string): boolean => /^[\w.-]{1,255}$/.test(id)

/** Describes a container without checking its id. */
export function described(container: WireContainer, pod: WirePod | null | undefined): StartingContainer {
  const { id, podSandboxId, name, labels, annotations, pid } = container
  return {
    containerID: id,
    containerName: name,
    sandboxID: podSandboxId || (pod?.id ?? ''),
    podName: pod?.name ?? '',
    podNamespace: pod?.namespace ?? '',
    podUID: pod?.uid ?? '',
    podLabels: pod?.labels ?? {},
    podAnnotations: pod?.annotations ?? {},
    labels,
    annotations,
    initPid: pid === 0 ? undefined : pid,
  }
}
