/**
 * The kind of a container, by the list of the pod that contains it. A `sidecar` is an init container that keeps running
 * (restartPolicy Always).
 */
export type ContainerRole = 'regular' | 'sidecar' | 'init' | 'ephemeral'

/**
 * Whether a policy applies to the container. A policy applies to the containers that `spec.target.containers` names, of
 * any role. If it names no containers, the policy applies to all except init containers, or to all with `initToo`. A
 * policy also applies to every ephemeral container of a pod that the policy confines.
 */
export function meansContainer(
  named: readonly string[],
  { name, role }: { name: string; role: ContainerRole },
  initToo: boolean,
): boolean {
  return named.length > 0 ? named.includes(name) : role !== 'init' || initToo
}

export const initRole = (restartPolicy: unknown): ContainerRole => (restartPolicy === 'Always' ? 'sidecar' : 'init')
