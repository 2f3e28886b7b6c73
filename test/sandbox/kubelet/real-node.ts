import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { linkApplets, makeImage } from '../../cluster/binaries/images.ts'
import { busybox } from '../../cluster/requirements.ts'
import { eventually } from '../../cluster/wait.ts'

export const image = 'docker.io/varmor/busybox:1'
const pauseImage = 'docker.io/varmor/pause:1'

const missing = (): string | undefined => {
  if (process.getuid?.() !== 0) return 'only root can run containers'
  const absent = ['containerd', 'runc', 'ctr'].filter(
    (program) => spawnSync(program, ['--version']).error !== undefined,
  )
  if (absent.length > 0) return `${absent.join(', ')} not installed (Debian packages containerd, runc)`
  if (!existsSync(busybox) || spawnSync('ldd', [busybox]).status === 0)
    return 'needs a static busybox (Debian package busybox-static)'
  return undefined
}

/** Skips the tests, with the reason, if this machine cannot run containers. */
export function needsContainers(test: Mocha.Context): void {
  const why = missing()
  if (why === undefined) return
  console.log(`      ${why}`)
  test.skip()
}

export interface RealNodeOptions {
  /** Folder of a containerd and its shim that replace the machine's. */
  programs?: string
  /** Returns additional lines of containerd's configuration for the node's folder, at each start. */
  more?: (folder: string) => string
}

/** A separate containerd with CRI and a busybox image, all in a folder that is removed with it. */
export class RealNode {
  readonly folder = mkdtempSync(join(tmpdir(), 'varmor-kubelet-'))
  readonly socket = join(this.folder, 'c.sock')
  readonly root = join(this.folder, 'kubelet')
  readonly podLogs = join(this.folder, 'logs')
  readonly #options: RealNodeOptions
  #process: ChildProcess | undefined

  constructor(options: RealNodeOptions = {}) {
    this.#options = options
  }

  async start(): Promise<void> {
    await this.startContainerd()
    for (const archive of await this.#images()) this.ctr('image', 'import', archive)
  }

  async startContainerd(): Promise<void> {
    writeFileSync(join(this.folder, 'config.toml'), this.#config())
    const path = [this.#options.programs ?? [], process.env['PATH'] ?? '/usr/bin:/bin'].flat().join(':')
    this.#process = spawn('containerd', ['-c', join(this.folder, 'config.toml')], {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: { ...process.env, PATH: path },
    })
    const version = ['-a', this.socket, 'version']
    await eventually('containerd to answer', async () => spawnSync('ctr', version, { timeout: 20_000 }).status === 0)
  }

  /** Kills containerd. Its containers continue to run. */
  async killContainerd(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  ctr(...args: string[]): string {
    return execFileSync('ctr', ['-a', this.socket, '-n', 'k8s.io', ...args], { encoding: 'utf8' })
  }

  /** Ids of all running tasks, including sandboxes. */
  tasks(): string[] {
    return this.ctr('task', 'list', '--quiet')
      .split('\n')
      .filter((line) => line !== '')
  }

  async dispose(): Promise<void> {
    if (this.#process === undefined) await this.startContainerd()
    for (const id of this.tasks())
      spawnSync('ctr', ['-a', this.socket, '-n', 'k8s.io', 'task', 'rm', '-f', id], { timeout: 120_000 })
    await this.killContainerd()
    for (const place of mountsBelow(this.folder)) spawnSync('umount', ['-l', place])
    rmSync(this.folder, { recursive: true, force: true })
  }

  /**
   * Format: version 2 of containerd's configuration, which containerd 1.6 to 2.x read. A JSON string is a valid TOML
   * string.
   */
  #config(): string {
    const text = (name: string): string => JSON.stringify(join(this.folder, name))
    return `version = 2
root = ${text('root')}
state = ${text('state')}
[grpc]
  address = ${JSON.stringify(this.socket)}
[ttrpc]
  address = ${JSON.stringify(`${this.socket}.ttrpc`)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # This machine may not let us lower a score.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = ${text('cni')}
[plugins."io.containerd.internal.v1.opt"]
  path = ${text('opt')}
${this.#options.more?.(this.folder) ?? ''}`
  }

  async #images(): Promise<string[]> {
    const root = join(this.folder, 'image')
    for (const name of ['bin', 'etc', 'tmp', 'root']) mkdirSync(join(root, name), { recursive: true })
    copyFileSync(busybox, join(root, 'bin/busybox'))
    await linkApplets(join(root, 'bin'))
    const archives = [join(this.folder, 'pause.tar'), join(this.folder, 'busybox.tar')] as const
    await makeImage(pauseImage, root, ['/bin/sleep', '1000000'], archives[0])
    await makeImage(image, root, [], archives[1])
    return [...archives]
  }
}

/** Mount points below a folder, the deepest first. */
const mountsBelow = (folder: string): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? [])
    .filter((place) => place.startsWith(`${folder}/`))
    .reverse()
