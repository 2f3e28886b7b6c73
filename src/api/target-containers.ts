/** Which list of the pod a container is in; `sidecar` is an init container that goes on running (restartPolicy Always). */
export type ContainerRole = 'regular' | 'sidecar' | 'init' | 'ephemeral'

/**
 * Whether a policy means the container: those that `spec.target.containers` names, whatever their role; where it names none, all but
 * init containers, or with `initToo` all. Ephemeral ones of a pod that it confines are meant besides.
 */
export function meansContainer(
  named: readonly string[],
  { name, role }: { name: string; role: ContainerRole },
  initToo: boolean,
): boolean {
  return named.length > 0 ? named.includes(name) : role !== 'init' || initToo
}

export const initRole = (restartPolicy: unknown): ContainerRole => (restartPolicy === 'Always' ? 'sidecar' : 'init')
