import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { freePorts } from '../../cluster/ports.ts'
import type { StepLog } from '../../cluster/steps.ts'
import type { ImageName } from '../images/store.ts'
import { bundledVarmor } from './bundled-varmor.ts'
import { Guest } from './guest.ts'
import type { KernelName } from './kernels.ts'
import type { Disk } from './qemu.ts'

/** The command `varmor` in a guest. */
export const varmorInGuest = ['node', bundledVarmor]

/** The address of the host's loopback from a guest of QEMU. */
export const hostAddress = '10.0.2.2'
/** Address of the guest on its private network. */
export const guestAddress = '10.0.2.15'

/** Timeout of a command, in milliseconds. */
const timeout = 120_000

export interface GuestNodeOptions {
  /** Name of the node. */
  name: string
  kernel: KernelName
  /** A folder for the node's logs. */
  logs: string
  steps: StepLog
  disks?: readonly Disk[]
  /** Images in containerd besides busybox. */
  images?: readonly ImageName[]
}

/** Addresses and credentials for a node's agent. */
export interface AgentLogin {
  kubeconfig: string
  /** Bearer token for managers; bound to the node. */
  token: string
  /** URL of a manager from the guest. */
  manager: string
  /** PEM of the CA of the manager's certificate. By default the agent reads it from the cluster. */
  managerAuthority?: string
}

/** A cluster node in a virtual machine: containerd, a kubelet and vArmor's agent on a Debian kernel. */
export class GuestNode {
  readonly name: string
  readonly guest: Guest
  /** Port of the kubelet, the same in the guest and on the host's loopback. */
  readonly kubeletPort: number
  /** Folder in the guest for files of the kubelet and the agent. */
  readonly folder = '/run/node'
  /** Lines of the guest's violations.log, verbatim. */
  readonly violations: string[] = []
  readonly #logs: string

  private constructor({ name, logs }: GuestNodeOptions, guest: Guest, port: number) {
    this.name = name
    this.guest = guest
    this.kubeletPort = port
    this.#logs = logs
  }

  /** Boots the guest. The output of its servers goes to files in the folder `logs` at once. */
  static async boot(options: GuestNodeOptions): Promise<GuestNode> {
    const { kernel, steps, disks = [], images = [] } = options
    const [port] = (await freePorts(1)) as [number]
    const guest = await Guest.boot({
      kernel,
      steps,
      disks,
      images,
      processors: 2,
      forwards: [{ host: port, guest: port }],
    })
    const node = new GuestNode(options, guest, port)
    await node.run(['mkdir', '-p', node.folder, '/var/log/varmor'])
    return node
  }

  async containerdUp(): Promise<void> {
    await this.run(['containerd-up'])
  }

  async startAgent(login: AgentLogin, flags: readonly string[] = []): Promise<void> {
    const { kubeconfig, token, manager, managerAuthority } = login
    const mine = ['--kubeconfig', await this.write('agent.kubeconfig', kubeconfig)]
    mine.push('--token-file', await this.write('token', token), '--manager', manager)
    if (managerAuthority !== undefined) mine.push('--manager-ca', await this.write('manager.crt', managerAuthority))
    const command = [...varmorInGuest, 'agent', '--node-name', this.name, '--namespace', 'varmor', ...mine, ...flags]
    this.start('agent', command)
    this.#follow('violations.log', '/var/log/varmor/violations.log', (line) => this.violations.push(line))
  }

  /** Starts a server and copies its output to the folder of logs. */
  start(name: string, command: readonly string[]): void {
    const log = `/var/log/${name}.log`
    // The server's output goes to a file; otherwise the guest would wait for its end.
    this.guest.spawn(['sh', '-c', `exec "$@" > ${log} 2>&1`, name, ...command])
    this.#follow(`${name}.log`, log)
  }

  /** Writes a file into the node's folder in the guest. @returns its path there */
  async write(name: string, text: string): Promise<string> {
    const path = `${this.folder}/${name}`
    await this.run(['sh', '-c', `umask 077; cat > ${path}`], text)
    return path
  }

  /** The output of a command. @throws if it fails */
  async run(command: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.guest.run(command, { input, timeoutMs: timeout })
    if (code !== 0) throw new Error(`in the guest, ${command.join(' ')}: exit status ${code}; ${stderr}`)
    return stdout
  }

  /** The promise's value. @throws the reason, if the guest ends first */
  unlessEnded<T>(promise: Promise<T>): Promise<T> {
    const ended = this.guest.ended.then((reason): never => {
      throw reason ?? new Error('the guest was stopped')
    })
    return Promise.race([promise, ended])
  }

  async stop(): Promise<void> {
    await this.guest.stop()
  }

  #follow(name: string, path: string, onLine: (line: string) => void = () => undefined): void {
    const tail = this.guest.spawn(['sh', '-c', `touch ${path}; exec tail -n +1 -F ${path}`])
    createInterface({ input: tail.stdout }).on('line', (line) => {
      appendFileSync(`${this.#logs}/${name}`, `${line}\n`)
      onLine(line)
    })
    tail.stderr.resume()
  }
}
