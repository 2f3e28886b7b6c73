import type { NodeContainer } from '../containers/runtime.ts'
import { NriError } from './nri-error.ts'
import type { WireContainer, WirePod } from './nri-messages.ts'

type Described = 'containerName' | 'podName' | 'podNamespace' | 'podUID' | 'sandboxID' | 'podLabels' | 'podAnnotations'

/**
 * A container that starts, or has started before the plugin was there: what NRI says of it, named as ContainerWatch
 * does.
 */
export interface StartingContainer extends Pick<NodeContainer, 'containerID' | 'annotations' | Described> {
  labels: Readonly<Record<string, string>>
  /**
   * In the node's pid namespace. At its start this is the runtime's own process, which waits inside of the container's
   * cgroup and namespaces until it becomes the container's first one. Undefined where the runtime does not say.
   */
  initPid: number | undefined
}

/** @throws {NriError} PROTOCOL for a container without an id */
export function startingContainer(container: WireContainer | null, pod: WirePod | null | undefined): StartingContainer {
  if (container === null || !isContainerId(container.id))
    throw new NriError('PROTOCOL', 'a request without a container')
  return described(container, pod)
}

/** As runtimes make them; the longest of containerd have 76 characters. */
export const isContainerId = (id: string): boolean => /^[\w.-]{1,255}$/.test(id)

/** The same, whatever its id. */
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
