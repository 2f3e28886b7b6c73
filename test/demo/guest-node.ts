import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { freePorts } from '../cluster/ports.ts'
import type { StepLog } from '../cluster/steps.ts'
import { Guest } from '../kernel/guest/guest.ts'
import type { GuestProcess } from '../kernel/guest/guest-process.ts'
import type { KernelName } from '../kernel/guest/kernels.ts'

const varmor = ['node', '/varmor/src/cli/varmor.js']
const folder = '/run/demo'
const kubeletPort = 10_250
/** Where a guest of QEMU finds the loopback of its host. */
export const hostAddress = '10.0.2.2'

/** A node of a sandbox in a virtual machine: containerd, a kubelet and vArmor's agent on a kernel of Debian. */
export class GuestNode {
  readonly name: string
  readonly guest: Guest
  /** Lines of the guest's violations.log, as they were written. */
  readonly violations: string[] = []
  readonly #port: number
  readonly #logs: string
  readonly #tails: GuestProcess[] = []

  private constructor(name: string, guest: Guest, port: number, logs: string) {
    this.name = name
    this.guest = guest
    this.#port = port
    this.#logs = logs
  }

  /** Boots the guest. What it writes goes to files in the folder `logs`, as it comes. */
  static async boot(options: { name: string; kernel: KernelName; logs: string; steps: StepLog }): Promise<GuestNode> {
    const [port] = (await freePorts(1)) as [number]
    const forwards = [{ host: port, guest: kubeletPort }]
    const guest = await Guest.boot({ kernel: options.kernel, forwards, steps: options.steps })
    const node = new GuestNode(options.name, guest, port, options.logs)
    await node.#must(['mkdir', '-p', folder, '/var/log/varmor'])
    return node
  }

  /** Makes it a node of the sandbox, with an agent that has reported. */
  async join(sandbox: Sandbox): Promise<void> {
    const { kubeconfig } = await sandbox.admitNode(this.name)
    await this.#write('kubelet.kubeconfig', kubeconfig)
    await this.#must(['containerd-up'])
    const names = ['--name', this.name, '--advertise', `127.0.0.1:${this.#port}`]
    this.#start('kubelet', [...varmor, 'sandbox-node', '--kubeconfig', `${folder}/kubelet.kubeconfig`, ...names])
    const agent = await this.#unlessEnded(sandbox.admitAgent(this.name))
    await this.#write('agent.kubeconfig', agent.kubeconfig)
    await this.#write('token', agent.token)
    await this.#write('manager.crt', agent.managerAuthority)
    const manager = ['--manager', agent.manager, '--manager-ca', `${folder}/manager.crt`]
    const mine = ['--kubeconfig', `${folder}/agent.kubeconfig`, '--token-file', `${folder}/token`]
    this.#start('agent', [...varmor, 'agent', '--node-name', this.name, '--namespace', 'varmor', ...mine, ...manager])
    this.#follow('violations.log', '/var/log/varmor/violations.log', (line) => this.violations.push(line))
  }

  async stop(): Promise<void> {
    await this.guest.stop()
  }

  /** What the promise brings, or the reason why the guest has ended. */
  #unlessEnded<T>(promise: Promise<T>): Promise<T> {
    const ended = this.guest.ended.then((reason): never => {
      throw reason ?? new Error('the guest was stopped')
    })
    return Promise.race([promise, ended])
  }

  #start(name: string, command: string[]): void {
    const log = `/var/log/${name}.log`
    // Its output belongs to a file, or the guest would wait for it to end.
    this.#tails.push(this.guest.spawn(['sh', '-c', `exec "$@" > ${log} 2>&1`, name, ...command]))
    this.#follow(`${name}.log`, log)
  }

  #follow(name: string, path: string, heard: (line: string) => void = () => undefined): void {
    const tail = this.guest.spawn(['sh', '-c', `touch ${path}; exec tail -n +1 -F ${path}`])
    createInterface({ input: tail.stdout }).on('line', (line) => {
      appendFileSync(`${this.#logs}/${name}`, `${line}\n`)
      heard(line)
    })
    tail.stderr.resume()
    this.#tails.push(tail)
  }

  async #write(name: string, text: string): Promise<void> {
    await this.#must(['sh', '-c', `umask 077; cat > ${folder}/${name}`], text)
  }

  async #must(command: string[], input = ''): Promise<void> {
    const { code, stderr } = await this.guest.run(command, { input, timeoutMs: 120_000 })
    if (code !== 0) throw new Error(`in the guest, ${command.join(' ')}: exit status ${code}; ${stderr}`)
  }
}
