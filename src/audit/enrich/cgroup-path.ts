/** Cgroup paths as /proc/<pid>/cgroup shows them, and which containers they are of. */

/**
 * A path names a container by its id, which runtimes write as the end of a component: `<id>`, `docker-<id>.scope`, `crio-<id>.scope`. What
 * watches a container of CRI-O is beside it, in `crio-conmon-<id>.scope`.
 */
const idOfComponent = /(?:^|(?<!conmon)[-:])([0-9a-f]{64})(?:\.scope)?$/

/** Controllers of version 1 that every container has, and cgroup managers move processes in. */
const preferred = ['pids', 'memory', 'devices', 'name=systemd']

/** Bytes that the kernel shows of a path at most. It cuts a longer one; before Linux 6.8 it refuses to show any of the file. */
const longestPath = 4095

/** Whether that is why /proc/<pid>/cgroup cannot be read. Whoever may make groups can have it so for the processes in them. */
export const isTooLong = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG'

/** What the kernel adds to the path of a cgroup that was removed with a process in it. */
const removed = ' (deleted)'

/**
 * The path of a process in the text of /proc/<pid>/cgroup: of one controller of version 1, the same for all processes, or of
 * version 2. Never of another controller: where runtimes make no groups, a process may make itself one with any name. '/' for none.
 * The native addon reads the same texts (native/addon/cgroup-path.c).
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
  // Of both versions at a time, version 1 is what runtimes use.
  for (const controller of preferred) {
    const path = paths.get(controller) ?? '/'
    if (path !== '/') return path
  }
  return paths.get('') ?? '/'
}

/** What is left of a name may be another group's. */
const withoutCutName = (path: string): string =>
  path.length < longestPath ? path : path.slice(0, Math.max(0, path.lastIndexOf('/')))

/**
 * The id that the first component of the path with one has: what is below that, whoever is in there may have made. Empty
 * for none.
 */
export function idOfPath(path: string): string {
  for (const component of path.split('/')) {
    const id = idOfComponent.exec(component)?.[1]
    if (id !== undefined) return id
  }
  return ''
}

/**
 * The path of a container's own cgroup, from that of a process in it, which may have moved to a group below; undefined
 * where the path does not say.
 */
export function ownPathOf(path: string, containerID: string): string | undefined {
  const components = path.split('/')
  const own = components.findIndex((component) => idOfComponent.exec(component)?.[1] === containerID)
  return own === -1 ? undefined : components.slice(0, own + 1).join('/')
}

/** The paths of a path's ancestors and its own, the highest first, without the root. */
export function* pathsTo(path: string): Generator<string> {
  for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) yield path.slice(0, end)
  if (path.length > 1) yield path
}
