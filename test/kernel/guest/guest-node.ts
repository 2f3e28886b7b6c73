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

/** Where a guest of QEMU finds the loopback of its host. */
export const hostAddress = '10.0.2.2'
/** Of the guest, on a network that only it sees. */
export const guestAddress = '10.0.2.15'

/** Milliseconds that a command may take. */
const patience = 120_000

export interface GuestNodeOptions {
  /** Of the node. */
  name: string
  kernel: KernelName
  /** A folder for what the node writes. */
  logs: string
  steps: StepLog
  disks?: readonly Disk[]
  /** Images that containerd has besides that of busybox. */
  images?: readonly ImageName[]
}

/** What the agent of a node comes with. */
export interface AgentLogin {
  kubeconfig: string
  /** For managers; bound to the node. */
  token: string
  /** URL of a manager from the guest. */
  manager: string
  /** PEM: the authority of the manager's certificate. By default the agent looks it up in the cluster. */
  managerAuthority?: string
}

/** A node of a cluster in a virtual machine: containerd, a kubelet and vArmor's agent on a kernel of Debian. */
export class GuestNode {
  readonly name: string
  readonly guest: Guest
  /** Where the kubelet has to serve, so that it is reached at the same port of the host's loopback. */
  readonly kubeletPort: number
  /** Of files for the kubelet and the agent, in the guest. */
  readonly folder = '/run/node'
  /** Lines of the guest's violations.log, as they were written. */
  readonly violations: string[] = []
  readonly #logs: string

  private constructor({ name, logs }: GuestNodeOptions, guest: Guest, port: number) {
    this.name = name
    this.guest = guest
    this.kubeletPort = port
    this.#logs = logs
  }

  /** Boots the guest. What its servers write goes to files in the folder `logs`, as it comes. */
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

  /** Starts a server, whose output is followed into the folder of logs. */
  start(name: string, command: readonly string[]): void {
    const log = `/var/log/${name}.log`
    // Its output belongs to a file, or the guest would wait for it to end.
    this.guest.spawn(['sh', '-c', `exec "$@" > ${log} 2>&1`, name, ...command])
    this.#follow(`${name}.log`, log)
  }

  /** Writes a file into the node's folder in the guest. @returns its path there */
  async write(name: string, text: string): Promise<string> {
    const path = `${this.folder}/${name}`
    await this.run(['sh', '-c', `umask 077; cat > ${path}`], text)
    return path
  }

  /** What a command prints. @throws if it fails */
  async run(command: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await this.guest.run(command, { input, timeoutMs: patience })
    if (code !== 0) throw new Error(`in the guest, ${command.join(' ')}: exit status ${code}; ${stderr}`)
    return stdout
  }

  /** What the promise brings, or the reason why the guest has ended. */
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
