/**
 * The kind of a container, by the list of the pod that contains the container. A `sidecar` is an init container that
 * keeps running (restartPolicy Always).
 */
export type ContainerRole = 'regular' | 'sidecar' | 'init' | 'ephemeral'

/**
 * Whether a policy applies to the container. A policy applies to containers of any role that `spec.target.containers`
 * names. If this field is empty, the policy applies to all containers except init containers, or to all with `initToo`.
 * A policy also applies to every ephemeral container of a pod that it confines.
 */
export function meansContainer(
  named: readonly string[],
  { name, role }: { name: string; role: ContainerRole },
  initToo: boolean,
): boolean {
  return named.length > 0 ? named.includes(name) : role !== 'init' || initToo
}

export const initRole = (restartPolicy: unknown): ContainerRole => (restartPolicy === 'Always' ? 'sidecar' : 'init')
