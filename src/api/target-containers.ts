/** The pod's list that a container is in; `sidecar` is an init container that keeps running (restartPolicy Always). */
export type ContainerRole = 'regular' | 'sidecar' | 'init' | 'ephemeral'

/**
 * Whether a policy applies to the container. A policy applies to the containers that `spec.target.containers` names, in
 * any role. If it names no containers, the policy applies to all except init containers, or to all with `initToo`. It
 * also applies to every ephemeral container of a pod that it confines.
 */
export function meansContainer(
  named: readonly string[],
  { name, role }: { name: string; role: ContainerRole },
  initToo: boolean,
): boolean {
  return named.length > 0 ? named.includes(name) : role !== 'init' || initToo
}

export const initRole = (restartPolicy: unknown): ContainerRole => (restartPolicy === 'Always' ? 'sidecar' : 'init')
