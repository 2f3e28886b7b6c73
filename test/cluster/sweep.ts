import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cgroupMounts } from './cgroups.ts'
import { output, probe } from './command.ts'
import { bridgePrefix, cgroupPrefix, folderVariable, type RunFolder } from './run-folder.ts'
import { eventually } from './wait.ts'

/** The content of a file of /proc or of a cgroup; empty if its process or cgroup has just ended. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ESRCH', 'EACCES', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return ''
    throw error
  }
}

/** Processes that a cluster started, and their children. A zombie has no environment, so it is not listed. */
function markedProcesses(folder: RunFolder): number[] {
  const variable = `${folderVariable}=${folder.path}`
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => readIfThere(`/proc/${pid}/environ`).split('\0').includes(variable))
    .map(Number)
}

const foldersIn = (path: string): string[] =>
  existsSync(path)
    ? readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(path, name))
    : []

const cgroupsBelow = (path: string): string[] => [...foldersIn(path).flatMap(cgroupsBelow), path]

/** The groups of a cluster's nodes, the innermost first. */
const cgroupsOf = (folder: RunFolder): string[] =>
  cgroupMounts().flatMap((mount) =>
    readdirSync(mount)
      .filter((name) => name.startsWith(cgroupPrefix(folder)))
      .flatMap((name) => cgroupsBelow(join(mount, name))),
  )

/** Processes in containers. They have their image's environment, without the cluster's variable. */
const containedProcesses = (folder: RunFolder): number[] =>
  cgroupsOf(folder)
    .flatMap((group) => readIfThere(join(group, 'cgroup.procs')).split('\n'))
    .filter((line) => line !== '' && line !== '0')
    .map(Number)

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function endProcesses(folder: RunFolder): Promise<void> {
  const keeper = new Set([process.pid, process.ppid])
  await eventually(`the processes of ${folder.path} to end`, async () => {
    const alive = [...markedProcesses(folder), ...containedProcesses(folder)].filter((pid) => !keeper.has(pid))
    for (const pid of alive) {
      signal(pid, 'SIGKILL')
      signal(pid, 'SIGCONT')
    }
    return alive.length === 0
  })
}

/** Mount points below the folder, the innermost first. Format: proc_pid_mounts(5); blanks are in octal. */
function mountsBelow(folder: RunFolder): string[] {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
  return points.filter((point) => point.startsWith(`${folder.path}/`)).reverse()
}

async function unmountAll(folder: RunFolder): Promise<void> {
  // A mount point may have several mounts.
  await eventually(`the mounts below ${folder.path} to go`, async () => {
    for (const point of mountsBelow(folder)) await output('umount', ['--lazy', point])
    return mountsBelow(folder).length === 0
  })
}

function removeCgroups(folder: RunFolder): Promise<unknown> {
  return eventually(`the cgroups of ${folder.path} to empty`, async () => {
    for (const group of cgroupsOf(folder)) rmdirSync(group)
    return true
  })
}

/**
 * Removes the sockets of shims. containerd creates them outside of the cluster's folder, at an address that each task's
 * folder names, and a killed shim leaves its socket.
 */
function removeShimSockets(folder: RunFolder): void {
  const tasks = 'run/io.containerd.runtime.v2.task/k8s.io'
  for (const node of foldersIn(folder.path)) {
    for (const task of foldersIn(join(node, tasks))) {
      const address = readIfThere(join(task, 'address')).trim()
      if (address.startsWith('unix:///')) rmSync(address.slice('unix://'.length), { force: true })
    }
  }
}

/** Removes everything that a cluster left: processes, mounts, bridges, cgroups, files. A second call does no harm. */
export async function sweep(folder: RunFolder): Promise<void> {
  await endProcesses(folder)
  removeShimSockets(folder)
  await unmountAll(folder)
  await removeCgroups(folder)
  const links = existsSync('/sys/class/net') ? readdirSync('/sys/class/net') : []
  for (const link of links) if (link.startsWith(bridgePrefix(folder))) probe('ip', 'link', 'delete', link)
  rmSync(folder.path, { recursive: true, force: true })
}
