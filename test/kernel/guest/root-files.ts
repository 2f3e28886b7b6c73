import { accessSync, constants, existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { probe } from '../../cluster/command.ts'
import { busybox, cniPlugins } from '../../cluster/requirements.ts'

/** An entry of the guest's root: a copy of a file of this machine, a text, or a link. */
export type RootFile = { path: string } & ({ source: string } | { text: string; mode?: number } | { link: string })

/** Programs of this machine that the guest gets too, and the Debian package of each. */
export const guestPrograms = [
  { name: 'apparmor_parser', from: 'apparmor' },
  { name: 'containerd', from: 'containerd' },
  { name: 'containerd-shim-runc-v2', from: 'containerd' },
  { name: 'ctr', from: 'containerd' },
  { name: 'runc', from: 'runc' },
  { name: 'ip', from: 'iproute2' },
  { name: 'xtables-legacy-multi', from: 'iptables' },
  { name: 'mount', from: 'mount' },
  { name: 'umount', from: 'mount' },
  { name: 'mke2fs', from: 'e2fsprogs' },
  { name: 'setpriv', from: 'util-linux' },
  { name: 'prlimit', from: 'util-linux' },
]

const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', ...(process.env['PATH'] ?? '').split(':')]

/** The path of one of this machine's programs. */
export const findProgram = (name: string): string | undefined =>
  folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return statSync(path).isFile()
      } catch {
        return false
      }
    })

/** In the guest, `/bin`, `/sbin`, `/lib` and `/lib64` are links into `/usr`, as on Debian since 12. */
const merged = (path: string): string => path.replace(/^\/(bin|sbin|lib|lib64)\//, '/usr/$1/')

/** The shared libraries of a program, and its loader. */
const librariesOf = (program: string): string[] =>
  [...(probe('ldd', program) ?? '').matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!)

function programFiles(): RootFile[] {
  const copies = new Map<string, string>()
  const add = (path: string, source: string): void => {
    copies.set(merged(path), realpathSync(source))
    for (const library of librariesOf(source)) copies.set(merged(library), realpathSync(library))
  }
  for (const { name } of guestPrograms) {
    const path = findProgram(name)!
    add(path, path)
  }
  for (const plugin of ['bridge', 'host-local', 'loopback', 'portmap']) {
    add(join(cniPlugins, plugin), join(cniPlugins, plugin))
  }
  add('/usr/bin/node', process.execPath)
  // The native BPF addon comes from the project; its libraries come from this machine.
  const addon = join(import.meta.dirname, '../../../native/addon/build/Release/bpf.node')
  if (existsSync(addon)) for (const library of librariesOf(addon)) copies.set(merged(library), realpathSync(library))
  return [...copies].map(([path, source]) => ({ path, source }))
}

function treeFiles(folder: string): RootFile[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, source: path }))
}

/**
 * The parser's settings on this machine. Without optimization of expressions, the parser takes half the time and
 * enforces the same rules.
 */
const parserSettings = (): string => `${readFileSync('/etc/apparmor/parser.conf', 'utf8')}\nOptimize=no-expr-simplify\n`

/** Files that apparmor_parser reads besides the profiles. */
const appArmorFiles = (): RootFile[] => [
  ...['abstractions', 'tunables', 'abi'].flatMap((name) => treeFiles(join('/etc/apparmor.d', name))),
  ...treeFiles('/usr/share/apparmor-features'),
  { path: '/etc/apparmor/parser.conf', text: parserSettings() },
]

/** All busybox programs that the guest does not get from another package. */
function appletFiles(taken: ReadonlySet<string>): RootFile[] {
  const applets = (probe(busybox, '--list') ?? '').split('\n').filter((name) => name !== 'busybox' && name !== '')
  const has = (name: string): boolean => ['/usr/bin/', '/usr/sbin/'].some((folder) => taken.has(folder + name))
  const links = applets.filter((name) => !has(name)).map((name) => ({ path: `/usr/bin/${name}`, link: 'busybox' }))
  return [{ path: '/usr/bin/busybox', source: busybox }, ...links]
}

const ours = (path: string, file: string, mode?: number): RootFile => ({
  path,
  text: readFileSync(join(import.meta.dirname, 'root', file), 'utf8'),
  ...(mode === undefined ? {} : { mode }),
})

const configuration = (): RootFile[] => [
  { path: '/bin', link: 'usr/bin' },
  { path: '/sbin', link: 'usr/sbin' },
  { path: '/lib', link: 'usr/lib' },
  { path: '/lib64', link: 'usr/lib64' },
  ...['iptables', 'iptables-save', 'iptables-restore'].map((name) => ({
    path: `/usr/sbin/${name}`,
    link: 'xtables-legacy-multi',
  })),
  // The kernel runs modprobe at this path.
  { path: '/usr/sbin/modprobe', link: '../bin/busybox' },
  { path: '/etc/passwd', text: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
  { path: '/etc/group', text: 'root:x:0:\nnogroup:x:65534:\n' },
  { path: '/etc/hosts', text: '127.0.0.1 localhost guest\n' },
  // Without this file a static program looks for libraries that do not exist, and crashes.
  { path: '/etc/nsswitch.conf', text: 'passwd: files\ngroup: files\nhosts: files dns\n' },
  // containerd gives this file to pods.
  { path: '/etc/resolv.conf', text: 'nameserver 10.0.2.3\n' },
  ours('/etc/containerd/config.toml', 'containerd.toml'),
  ours('/etc/cni/net.d/10-bridge.conflist', 'cni.conflist'),
  ours('/usr/local/sbin/containerd-up', 'containerd-up.sh', 0o755),
  ours('/usr/local/sbin/containerd-pack', 'containerd-pack.sh', 0o755),
]

/** Mount points, and folders that programs expect. */
export const rootFolders = [
  ...['/proc', '/sys', '/dev', '/run', '/tmp', '/root', '/mnt', '/varmor', '/images', '/usr/lib/modules'],
  ...['/var/lib/containerd', '/var/lib/kubelet', '/var/log/pods', '/var/log/containers', '/var/log/varmor', '/var/tmp'],
  ...['/etc/apparmor.d', '/opt', '/usr/lib64', '/usr/sbin', '/usr/local/bin', '/var/cache/apparmor'],
]

/** Everything in the guest's root. */
export function rootFiles(): RootFile[] {
  const files = [...programFiles(), ...configuration(), ...appArmorFiles()]
  return [...files, ...appletFiles(new Set(files.map(({ path }) => path)))]
}
