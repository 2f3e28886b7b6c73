import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Creates a process of a container in a folder that replaces /proc. */
export function makeProcess(root: string, pid: number, container: { containerID: string; mntNsID: number }): void {
  const folder = join(root, String(pid))
  mkdirSync(join(folder, 'ns'), { recursive: true })
  writeFileSync(join(folder, 'stat'), `${pid} (x) S ${'0 '.repeat(18)}100 0 0\n`)
  writeFileSync(join(folder, 'cgroup'), `0::/kubepods.slice/cri-containerd-${container.containerID}.scope\n`)
  symlinkSync(`mnt:[${container.mntNsID}]`, join(folder, 'ns', 'mnt'))
}

/** Makes reads of the cgroup fail, as they do before Linux 6.8 for a path of more than 4,096 bytes. */
export function hideCgroup(root: string, pid: number): void {
  const path = join(root, String(pid), 'cgroup')
  rmSync(path)
  symlinkSync('x'.repeat(300), path)
}
