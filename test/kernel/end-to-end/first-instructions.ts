import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { measured, printSteps } from '../../cluster/steps.ts'
import { eventually } from '../../cluster/wait.ts'
import type { Guest } from '../guest/guest.ts'
import { containerdInGuest } from '../guest/program-disks.ts'
import type { Orders } from './run-pod.ts'

/** A node in a guest. Its agent has a policy for pods with the name `pod` that forbids reading /etc/group. */
export interface StartingNode {
  pod: string
  profile: string
  guest(): Guest
  agent(): ReturnType<Guest['spawn']>
  /** Resolves when the node is ready. */
  startAgent(): Promise<void>
  /** Path of the agent's log, in JSON. */
  log: string
  /** Tells whether the guest has the disk with containerd 2. */
  hasContainerd2(): boolean
  /** Timeout of each step, in milliseconds. */
  timeout: number
}

/** The shell itself opens the file as the container's first action, and repeats the open until it is refused. */
const script = 'read=0; while read -r line </etc/group; do read=1; sleep 0.2; done; exit $((20 + read))'
const refused = 20
const refusedLater = 21

/** Number of containers that each runtime starts. */
const many = 15
const allRefused = Array.from({ length: many }, () => refused)

/** An NRI timeout that does not expire on the slowest machine. */
const nri = '[plugins."io.containerd.nri.v1.nri"]\\n  plugin_request_timeout = "200s"\\n'
const replaceContainerd = `printf '${nri}' >> /etc/containerd/config.toml
  kill $(cat /run/containerd.pid); while [ -d /proc/$(cat /run/containerd.pid) ]; do usleep 50000; done
  rm -f /run/containerd/containerd.sock; PATH=${containerdInGuest}:$PATH containerd-up`

interface Binding {
  waits: boolean
  late: number
  maxLate: number
  failed: number
}
/** A line of the agent's log. */
type Said = Record<string, unknown> & { msg: string }

/** The log of an agent. */
class AgentLog {
  readonly #node: StartingNode

  constructor(node: StartingNode) {
    this.#node = node
  }

  async lines(): Promise<Said[]> {
    const { stdout } = await this.#node.guest().run(['cat', this.#node.log])
    return stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Said] : []))
  }

  async length(): Promise<number> {
    return (await this.lines()).length
  }

  /** The agent's lines after the first `before` lines. */
  says(msg: string, before: number): Promise<Said> {
    const find = async (): Promise<Said | undefined> =>
      (await this.lines()).slice(before).find((line) => line.msg === msg)
    return eventually(`the agent to say: ${msg}`, find, this.#node.timeout, 300)
  }

  async binding(): Promise<Binding> {
    const before = await this.length()
    this.#node.agent().kill('SIGUSR1')
    return ((await this.says('status', before))['status'] as { bpf: Binding }).bpf
  }
}

/** A pod: `started` resolves when all its containers have started, `ended` resolves with their exit statuses. */
interface RunningPod {
  started: Promise<void>
  ended: Promise<number[]>
}

function runPod(guest: Guest, orders: Orders): RunningPod {
  const process = guest.spawn(['node', '/varmor/test/kernel/end-to-end/run-pod.js', JSON.stringify(orders)])
  const errors = text(process.stderr)
  let output = ''
  const ended = process.closed.then(async ({ code }) => {
    if (code !== 0) throw new Error(await errors)
    return JSON.parse(output.slice('started\n'.length)) as number[]
  })
  const started = new Promise<void>((resolve, reject) => {
    process.stdout.on('data', (bytes: Buffer) => {
      output += bytes
      if (output.startsWith('started\n')) resolve()
    })
    ended.catch(reject)
  })
  started.catch(() => undefined)
  return { started, ended }
}

/** Tests that a container's very first action already runs in its BPF profile. */
export function testFirstInstructions(node: StartingNode): void {
  const { pod: name, profile } = node
  const log = new AgentLog(node)
  let pods = 0
  const run = (containers: number): RunningPod =>
    runPod(node.guest(), { name, uid: `uid-${pods++}`, containers, script })
  const runMany = (): Promise<number[]> => measured(printSteps, `${many} containers`, () => run(many).ended)

  it('has containers of containerd 1.6, which has no NRI, in their profile from their first instruction', async () => {
    expect((await node.guest().run(['containerd', '--version'])).stdout).to.contain(' 1.6.')
    const { late } = await log.binding()
    // The runtime does not wait for the agent. If the agent gets no CPU for that long, a container starts late and must
    // be counted.
    const ended = await runMany()
    const later = ended.filter((status) => status === refusedLater).length
    expect(ended.filter((status) => status !== refusedLater)).to.deep.equal(allRefused.slice(later))
    expect(later).to.be.at.most(many / 5)
    const binding = await log.binding()
    expect(binding).to.deep.include({ waits: false, failed: 0 })
    expect(binding.late - late).to.be.at.least(later)
  })

  it('finds a container that was started without an agent, and says how long it was free', async () => {
    node.agent().kill('SIGTERM')
    await node.agent().exited
    const { started, ended } = run(1)
    await started
    const before = await log.length()
    await node.startAgent()
    expect(await ended).to.deep.equal([refusedLater])
    const line = await log.says('a container ran without its BPF profile until now', before)
    expect(line).to.deep.include({ pod: `default/${name}`, container: 'c0', profile })
    const { late, maxLate } = await log.binding()
    expect([late, maxLate], 'by the agent that found it').to.deep.equal([1, line['durationMs']])
    expect(maxLate).to.be.above(0)
  })

  it('has containers of containerd 2 in their profile from their first instruction, by NRI', async function () {
    if (!node.hasContainerd2()) return this.skip()
    const before = await log.length()
    const { late } = await log.binding()
    const { code, stderr } = await node.guest().run(['sh', '-c', replaceContainerd], { timeoutMs: node.timeout })
    expect(code, stderr).to.equal(0)
    const registered = await log.says('the runtime starts containers only with their BPF profiles (NRI)', before)
    expect(registered['version']).to.match(/^v2\./)
    expect(await runMany()).to.deep.equal(allRefused)
    expect(await log.binding()).to.deep.include({ waits: true, late, failed: 0 })
  })
}
