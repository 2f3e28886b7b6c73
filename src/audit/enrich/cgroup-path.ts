/** Cgroup paths as in /proc/<pid>/cgroup, and the containers they belong to. */

/**
 * Runtimes put a container's id at the end of a path component: `<id>`, `docker-<id>.scope`, `crio-<id>.scope`. The
 * cgroup `crio-conmon-<id>.scope` does not belong to the container: it has CRI-O's monitor of the container.
 */
const idOfComponent = /(?:^|(?<!conmon)[-:])([0-9a-f]{64})(?:\.scope)?$/

/** Version 1 controllers in which every container has a group. Cgroup managers move processes into these groups. */
const preferred = ['pids', 'memory', 'devices', 'name=systemd']

/**
 * Maximum bytes of a path that the kernel shows. It cuts a longer path; before Linux 6.8 it refuses to read the whole
 * file.
 */
const maxPath = 4095

/**
 * Whether /proc/<pid>/cgroup cannot be read because a path is too long. A process that may create groups can cause this
 * for the processes in them.
 */
export const isTooLong = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG'

/** The suffix by which the kernel marks a cgroup that was removed while a process was in it. */
const removed = ' (deleted)'

/**
 * A process's path from /proc/<pid>/cgroup: the path of a `preferred` version 1 controller, or of version 2; '/'
 * without such a path. In other controllers runtimes do not create groups, so a process can create a group with any
 * name. The native addon parses the same texts (native/addon/cgroup-path.c).
 */
export function cgroupPathOf(text: string): string {
  const paths = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [number, controllers] = line.split(':', 2)
    if (number === undefined || controllers === undefined) continue
    const path = line.slice(number.length + controllers.length + 2)
    const clean = path.endsWith(removed) ? path.slice(0, -removed.length) : path
    for (const controller of controllers.split(',')) paths.set(controller, withoutCutName(clean))
  }
  // If both versions are mounted, runtimes use version 1.
  for (const controller of preferred) {
    const path = paths.get(controller) ?? '/'
    if (path !== '/') return path
  }
  return paths.get('') ?? '/'
}

/** Removes the last name from a path that the kernel cut, because a cut name may be the name of another group. */
const withoutCutName = (path: string): string =>
  path.length < maxPath ? path : path.slice(0, Math.max(0, path.lastIndexOf('/')))

/**
 * The id in the first path component that has an id; empty if the path does not contain an id. Later components do not
 * count, because processes in the container can create them.
 */
export function idOfPath(path: string): string {
  for (const component of path.split('/')) {
    const id = idOfComponent.exec(component)?.[1]
    if (id !== undefined) return id
  }
  return ''
}

/**
 * The path of a container's own cgroup, from the path of a process, which may be in a group below it. undefined if the
 * path does not contain the container's id.
 */
export function ownPathOf(path: string, containerID: string): string | undefined {
  const components = path.split('/')
  const own = components.findIndex((component) => idOfComponent.exec(component)?.[1] === containerID)
  return own === -1 ? undefined : components.slice(0, own + 1).join('/')
}

/** The ancestors of the path and the path itself, from the top, without the root. */
export function* pathsTo(path: string): Generator<string> {
  for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) yield path.slice(0, end)
  if (path.length > 1) yield path
}
