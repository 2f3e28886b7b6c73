/**
 * Creates a Debian package for a node without a cluster: bundles, native modules, BPF programs, Node.js and a systemd
 * unit. Run build:addon and build:bpf first. Equal input and an equal SOURCE_DATE_EPOCH give equal bytes. Needs
 * dpkg-deb.
 *    build-deb.ts [--node FILE] [--compression xz] [FOLDER]
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import { buildBundles } from './build-bundles.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const own = join(root, 'deploy', 'debian')
const addons = join(root, 'native', 'addon', 'build', 'Release')

export interface DebOptions {
  /** Folder for the package. */
  folder: string
  /** The Node.js program to include. Default: the running Node.js. */
  node?: string
  /** Folder of the BPF programs. Default: the output of build:bpf. */
  bpf?: string
  /** A compression that dpkg-deb accepts. Default: xz. */
  compression?: string
}

/** Default modification time of all files, in seconds since the epoch: 1 January 2026. */
const releasedAt = '1767225600'

/** Debian's names of architectures, by the names in Node.js. */
const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' }

/** Files in /etc. The package does not overwrite them after an administrator has changed them. */
const conffiles = ['/etc/default/varmor-agent']

/** The program in /usr/bin. It runs the Node.js of this package. */
const program = `#!/bin/sh
exec /usr/lib/varmor/node --enable-source-maps /usr/lib/varmor/varmor.js "$@"
`

/** @returns the path of the package. @throws if an input is not built yet, or a tool fails */
export async function buildDeb(options: DebOptions): Promise<string> {
  const { folder, compression = 'xz' } = options
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const architecture = architectures[process.arch] ?? process.arch
  const staging = mkdtempSync(join(tmpdir(), 'varmor-deb-'))
  try {
    await stage(staging, options)
    writeControl(staging, version, architecture)
    setModes(staging)
    mkdirSync(folder, { recursive: true })
    const deb = join(folder, `varmor_${version}_${architecture}.deb`)
    const flags = ['--root-owner-group', '--uniform-compression', `-Z${compression}`, '--threads-max=1']
    run('dpkg-deb', ['--build', ...flags, staging, deb], { SOURCE_DATE_EPOCH: releasedAt, ...process.env })
    return deb
  } finally {
    rmSync(staging, { recursive: true, force: true })
  }
}

/** Copies all files to their places. */
async function stage(staging: string, { node = process.execPath, bpf }: DebOptions): Promise<void> {
  const at = (path: string): string => {
    const full = join(staging, path)
    mkdirSync(dirname(full), { recursive: true })
    return full
  }
  const programs = bpf ?? join(root, 'native', 'bpf', 'build')
  const natives = [
    ...['audit.node', 'bpf.node'].map((name) => ({ from: join(addons, name), to: 'native/addon/build/Release' })),
    ...['varmor.bpf.o', 'varmor-old.bpf.o'].map((name) => ({ from: join(programs, name), to: 'native/bpf/build' })),
  ]
  const missing = natives.filter(({ from }) => !existsSync(from)).map(({ from }) => from)
  if (missing.length > 0) throw new Error(`not built: ${missing.join(', ')}; run npm run build:addon and build:bpf`)
  await buildBundles(at('usr/lib/varmor'))
  for (const { from, to } of natives) copyFileSync(from, at(join('usr/lib/varmor', to, from.split('/').at(-1)!)))
  for (const name of ['audit.node', 'bpf.node'])
    run('strip', ['--strip-unneeded', at(`usr/lib/varmor/native/addon/build/Release/${name}`)])
  copyFileSync(node, at('usr/lib/varmor/node'))
  writeFileSync(at('usr/bin/varmor'), program)
  mkdirSync(at('etc/varmor/policies'), { recursive: true })
  const places = {
    'varmor-agent.service': 'usr/lib/systemd/system/varmor-agent.service',
    'varmor-agent.default': 'etc/default/varmor-agent',
    'README.md': 'usr/share/doc/varmor/README.md',
    'lintian-overrides': 'usr/share/lintian/overrides/varmor',
    copyright: 'usr/share/doc/varmor/copyright',
    'example.yaml': 'usr/share/doc/varmor/examples/policy.yaml',
  }
  for (const [name, path] of Object.entries(places)) copyFileSync(join(own, name), at(path))
}

function writeControl(staging: string, version: string, architecture: string): void {
  const day = new Date(Number(process.env['SOURCE_DATE_EPOCH'] ?? releasedAt) * 1000)
    .toUTCString()
    .replace('GMT', '+0000')
  const maintainer = 'The vArmor authors <varmor@users.noreply.github.com>'
  const entry = `varmor (${version}) unstable; urgency=medium\n\n  * This version.\n\n -- ${maintainer}  ${day}\n`
  writeFileSync(join(staging, 'usr/share/doc/varmor/changelog.gz'), gzipSync(entry, { level: 9 }))
  const files = filesBelow(staging)
  const size = files.reduce((sum, path) => sum + Math.ceil(statSync(path).size / 1024), 0)
  const control = {
    Package: 'varmor',
    Version: version,
    Architecture: architecture,
    Maintainer: maintainer,
    'Installed-Size': size,
    'Pre-Depends': 'init-system-helpers (>= 1.54~)',
    // Node.js and the native modules are linked with these libraries.
    Depends: 'libc6 (>= 2.28), libstdc++6 (>= 9), libgcc-s1, libbpf1',
    Recommends: 'apparmor',
    Section: 'admin',
    Priority: 'optional',
    Homepage: 'https://varmor.org',
    Description:
      'container hardening by AppArmor, BPF and Seccomp\n' +
      ' Policies in /etc/varmor/policies say what containers of containerd, nerdctl\n' +
      ' and Docker may not do. The kernel refuses it, and each violation is a line of\n' +
      ' JSON in /var/log/varmor/violations.log.',
  }
  const debian = join(staging, 'DEBIAN')
  mkdirSync(debian)
  const fields = Object.entries(control).map(([field, value]) => `${field}: ${value}\n`)
  writeFileSync(join(debian, 'control'), fields.join(''))
  writeFileSync(join(debian, 'conffiles'), `${conffiles.join('\n')}\n`)
  for (const script of ['postinst', 'prerm', 'postrm']) copyFileSync(join(own, script), join(debian, script))
  const sums = files
    .map((path) => ({ name: relative(staging, path), sum: createHash('md5').update(readFileSync(path)).digest('hex') }))
    .filter(({ name }) => !conffiles.includes(`/${name}`))
    .map(({ name, sum }) => `${sum}  ${name}\n`)
    .join('')
  writeFileSync(join(debian, 'md5sums'), sums)
}

/** All files in a folder, in order. */
const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

/** Sets the modes that Debian requires, whatever the umask is. */
function setModes(staging: string): void {
  const programs = [
    'usr/bin/varmor',
    'usr/lib/varmor/node',
    ...['postinst', 'prerm', 'postrm'].map((one) => `DEBIAN/${one}`),
  ]
  chmodSync(staging, 0o755)
  for (const entry of readdirSync(staging, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    chmodSync(path, entry.isDirectory() || programs.includes(relative(staging, path)) ? 0o755 : 0o644)
  }
}

/** The output of a tool. @throws its error text when it fails */
function run(name: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(name, args, { encoding: 'utf8', env, maxBuffer: 1 << 26 })
  if (status !== 0) throw new Error(`${name}: ${error?.message ?? stderr}`)
  return stdout
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { node: { type: 'string' }, compression: { type: 'string' } },
  })
  console.log(await buildDeb({ folder: resolve(positionals[0] ?? join(root, 'dist')), ...values }))
}
