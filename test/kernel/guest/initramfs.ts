import { chmodSync, copyFileSync, lutimesSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { output, result } from '../../cluster/command.ts'
import { busybox } from '../../cluster/requirements.ts'
import { measured, type StepLog } from '../../cluster/steps.ts'
import { digest, kernelCached, subfolder } from './cache.ts'
import type { Kernel } from './kernels.ts'

const here = import.meta.dirname
const initScript = join(here, 'init.sh')
const execServer = join(here, 'exec-server.c')

/** Modules that the kernel needs before it has a root with modprobe; built-in ones are left out. */
const wanted = ['virtio_pci', 'virtio_blk', 'virtio_console', 'virtio_net', 'squashfs', 'overlay']

/** Files of these modules and of their dependencies, in load order. */
function bootModules(kernel: Kernel): string[] {
  const name = (path: string): string =>
    basename(path)
      .replace(/\.ko.*$/, '')
      .replaceAll('-', '_')
  const lines = readFileSync(join(kernel.modules, 'modules.dep'), 'utf8').trimEnd().split('\n')
  const byName = new Map(
    lines.map((line) => {
      const [file, needs] = line.split(':') as [string, string]
      return [name(file), { file, needs: needs.split(' ').filter((path) => path !== '') }]
    }),
  )
  const order = new Set<string>()
  const add = (module: string): void => {
    const found = byName.get(module)
    if (found === undefined || order.has(found.file)) return
    for (const needed of found.needs) add(name(needed))
    order.add(found.file)
  }
  for (const module of wanted) add(module)
  return [...order]
}

/** The initramfs that mounts the guest's root and starts exec-server. */
export async function ensureInitramfs(kernel: Kernel, log: StepLog): Promise<string> {
  const sources = [initScript, execServer, busybox].map((path) => readFileSync(path))
  const key = digest('layout 3', kernel.release, JSON.stringify(wanted), ...sources)
  const folder = await kernelCached('initramfs', key, (draft) =>
    measured(log, `initramfs of ${kernel.release}`, async () => {
      const root = subfolder(draft, 'root')
      for (const path of ['bin', 'dev', 'proc', 'sys', 'lower', 'upper', 'new', 'modules']) subfolder(root, path)
      copyFileSync(busybox, join(root, 'bin', 'busybox'))
      copyFileSync(initScript, join(root, 'init'))
      await compile(join(root, 'exec-server'))
      for (const program of ['bin/busybox', 'init', 'exec-server']) chmodSync(join(root, program), 0o755)
      const modules = bootModules(kernel)
      for (const module of modules) copyFileSync(join(kernel.modules, module), join(root, 'modules', basename(module)))
      writeFileSync(join(root, 'modules', 'order'), modules.map((path) => `${basename(path)}\n`).join(''))
      const links = subfolder(root, 'links')
      for (const path of ['pts', 'shm', 'mqueue']) subfolder(links, path)
      symlinkSync('/proc/self/fd', join(links, 'fd'))
      for (const [fd, name] of ['stdin', 'stdout', 'stderr'].entries()) {
        symlinkSync(`/proc/self/fd/${fd}`, join(links, name))
      }
      await pack(root, join(draft, 'initramfs'))
      rmSync(root, { recursive: true })
    }),
  )
  return join(folder, 'initramfs')
}

const compile = (program: string): Promise<string> =>
  output('gcc', ['-std=gnu11', '-O2', '-s', '-static', '-Wall', '-D_GNU_SOURCE', '-o', program, execServer])

/** Equal content gives equal bytes. Format: newc (initramfs-buffer-format in the kernel's documentation). */
async function pack(root: string, archive: string): Promise<void> {
  const paths = (await output('find', ['.'], { cwd: root })).trimEnd().split('\n').sort()
  for (const path of paths) lutimesSync(join(root, path), 0, 0)
  const flags = ['--create', '--format=newc', '--reproducible', '--quiet', '--owner=0:0', `--file=${archive}`]
  const { status, stderr } = await result('cpio', flags, { cwd: root, input: `${paths.join('\n')}\n` })
  if (status !== 0) throw new Error(`cpio: ${stderr}`)
}
