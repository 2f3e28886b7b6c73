import {
  type ChildProcess,
  execFileSync,
  type SpawnSyncOptionsWithStringEncoding,
  spawn,
  spawnSync,
} from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../../cluster/wait.ts'

const missing = (): string | undefined => {
  if (process.getuid?.() !== 0) return 'only root can start containerd'
  const absent = ['containerd', 'runc', 'ctr'].filter(
    (program) => spawnSync(program, ['--version']).error !== undefined,
  )
  return absent.length === 0 ? undefined : `${absent.join(', ')} not installed (Debian packages containerd, runc)`
}

/** Skips the tests, with the reason, if no containerd can start. */
export function needsContainerd(test: Mocha.Context): void {
  const why = missing()
  if (why === undefined) return
  console.log(`      ${why}`)
  test.skip()
}

/** A separate containerd, with its folders and its socket in a folder that is removed with it. */
export class RealContainerd {
  readonly folder = mkdtempSync(join(tmpdir(), 'varmor-containerd-'))
  readonly socket = join(this.folder, 'c.sock')
  /** Namespace of the containers. */
  namespace = 'k8s.io'
  #process: ChildProcess | undefined

  constructor() {
    const config = [
      'version = 2',
      `root = "${join(this.folder, 'root')}"`,
      `state = "${join(this.folder, 'state')}"`,
      `[grpc]\naddress = "${this.socket}"`,
      `[ttrpc]\naddress = "${this.socket}.ttrpc"`,
      // The CRI plugin would use the machine's networks.
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    ]
    writeFileSync(join(this.folder, 'config.toml'), `${[config[5], ...config.slice(0, 5)].join('\n')}\n`)
    const rootfs = join(this.folder, 'rootfs')
    for (const name of ['usr', 'proc', 'dev', 'sys']) mkdirSync(join(rootfs, name), { recursive: true })
    for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(rootfs, name))
  }

  async start(): Promise<void> {
    this.#process = spawn('containerd', ['-c', join(this.folder, 'config.toml')], { stdio: 'ignore' })
    const version = ['-a', this.socket, 'version']
    await eventually('containerd to answer', async () => spawnSync('ctr', version, { timeout: 20_000 }).status === 0)
  }

  /** Kills containerd. Its containers continue to run. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** Runs a container of a pod, as CRI does. */
  run(id: string, labels: Record<string, string>): void {
    this.runAlone(id, { 'io.cri-containerd.kind': 'container', ...labels }, { 'io.kubernetes.cri.sandbox-id': 'pause' })
  }

  /** Runs a container that belongs to no pod. */
  runAlone(id: string, labels: Record<string, string>, annotations: Record<string, string> = {}): void {
    const flags = Object.entries({ '--label': labels, '--annotation': annotations }).flatMap(([flag, values]) =>
      Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${value}`]),
    )
    const mount = ['--mount', 'type=bind,src=/usr,dst=/usr,options=rbind:ro']
    this.#ctr('run', '-d', '--rootfs', ...flags, ...mount, join(this.folder, 'rootfs'), id, '/usr/bin/sleep', '1000')
  }

  /**
   * Sets labels that are not in the OCI spec, like an image's labels. Labels passed to `ctr run` are also in the spec.
   */
  label(id: string, labels: Record<string, string>): void {
    this.#ctr('container', 'label', id, ...Object.entries(labels).map(([key, value]) => `${key}=${value}`))
  }

  exec(id: string): void {
    this.#ctr('task', 'exec', '--exec-id', 'other', id, '/usr/bin/true')
  }

  /** Starts a second process in a container, and leaves it running. */
  execSleep(id: string): void {
    this.#ctr('task', 'exec', '-d', '--exec-id', 'sleep', id, '/usr/bin/sleep', '1001')
  }

  remove(id: string): void {
    this.#ctr('task', 'rm', '-f', id)
    this.#ctr('container', 'rm', id)
  }

  async dispose(): Promise<void> {
    if (this.#process === undefined) await this.start()
    for (const namespace of this.#ctr('namespace', 'ls', '-q').split('\n').filter(Boolean)) {
      this.namespace = namespace
      for (const id of this.#ctr('task', 'ls', '-q').split('\n')) if (id !== '') this.remove(id)
    }
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  #ctr(...args: string[]): string {
    // If a task was killed, ctr prints that and exits with the task's status.
    const options: SpawnSyncOptionsWithStringEncoding = { timeout: 120_000, encoding: 'utf8' }
    const all = ['-a', this.socket, '-n', this.namespace, ...args]
    if (args[0] === 'task' && args[1] === 'rm') return spawnSync('ctr', all, options).stdout
    return execFileSync('ctr', all, options)
  }
}
