import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Mount points of cgroup hierarchies: one (version 2), one for each controller (version 1), or both. */
export const cgroupMounts = (): string[] => [
  ...new Set(
    readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
      .map(([, point]) => point!),
  ),
]

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8').trim()

/** In version 1 a new group of `cpuset` has no CPUs and no memory nodes, so no process can enter it. */
function copyProcessors(mount: string, group: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (existsSync(join(mount, file))) writeFileSync(join(group, file), read(mount, file))
  }
}

/** In version 2 the children of a group have only the controllers that the group enables for them. */
function handDownControllers(mount: string): void {
  const controllers = read(mount, 'cgroup.controllers').split(' ')
  const wanted = controllers.filter((name) => name !== '').map((name) => `+${name}`)
  writeFileSync(join(mount, 'cgroup.subtree_control'), wanted.join(' '))
}

/** Creates the parent group of a kubelet's pods in every hierarchy. */
export function createCgroup(name: string): void {
  const mounts = cgroupMounts()
  const unified = mounts.length === 1 && existsSync(join(mounts[0]!, 'cgroup.controllers'))
  for (const mount of mounts) {
    if (unified) handDownControllers(mount)
    const group = join(mount, name)
    mkdirSync(group, { recursive: true })
    if (unified) handDownControllers(group)
    else copyProcessors(mount, group)
  }
}
