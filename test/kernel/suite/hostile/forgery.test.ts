import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { until } from '../../../cli/child.ts'
import { output } from '../../../cluster/command.ts'
import { AgentProcess, type Status } from '../audit/agent-process.ts'
import { Auditd } from '../audit/auditd.ts'
import { debianRoot } from '../audit/burst.ts'
import { attack } from './acts.ts'
import { Judge, type Verdict, violations } from './judge.ts'
import { Actor, policies, prepare, removeShare, setVariable } from './world.ts'

const kernelLog = '/var/log/kern.log'

/** An agent's source, and whether the agent writes lines for claims of processes. */
interface Reader {
  name: string
  args: string[]
  claims?: boolean
  /** The source delivers every violation. */
  whole?: boolean
}

interface Read {
  reader: Reader
  verdict: Verdict
  status: Status & { untrusted: number }
}

const claims = ['--log-untrusted-records']

describe('a container that wants its violations to be those of another', function () {
  this.timeout(3_600_000)
  let victim: Actor
  let attacker: Actor
  const undo: (() => unknown)[] = []
  const daemons: ChildProcess[] = []

  before(async () => {
    await prepare()
    undo.push(setVariable('kernel/printk_ratelimit', '0'))
    victim = await Actor.start('victim')
    const cgroups = ['--mount', 'type=bind,src=/sys/fs/cgroup,dst=/cg,options=rbind:rw']
    attacker = await Actor.start('attacker', [...cgroups, '--device', '/dev/kmsg'])
  })
  after(async () => {
    for (const step of undo.reverse()) step()
    for (const actor of [attacker, victim]) await actor?.stop()
    removeShare()
  })
  afterEach(async () => {
    for (const each of daemons.splice(0).reverse()) {
      each.kill('SIGTERM')
      while (each.exitCode === null && each.signalCode === null) await pause(50)
    }
    rmSync(kernelLog, { force: true })
  })

  /** Without auditing, the kernel passes on only records of type 1107 from processes. */
  const withAudit = (on: boolean): Promise<string> =>
    output('chroot', [debianRoot, '/sbin/auditctl', '-e', on ? '1' : '0'])

  /**
   * Resolves when the kernel has sent and printed its whole queue, which takes seconds after the attack on a slow
   * machine.
   */
  const sent = (): Promise<boolean> =>
    until(async () => /^backlog 0$/m.test(await output('chroot', [debianRoot, '/sbin/auditctl', '-s'])))

  const start = (reader: Reader): Promise<AgentProcess> =>
    AgentProcess.start({
      folder: `/tmp/log-${reader.name}`,
      containers: { containers: [victim.info, attacker.info], policies },
      args: [...reader.args, ...(reader.claims ? claims : [])],
    })

  async function attackBefore(readers: readonly Reader[], ended: () => Promise<unknown>): Promise<Read[]> {
    const agents: AgentProcess[] = []
    try {
      for (const reader of readers) agents.push(await start(reader))
      const done = await attack(attacker, victim)
      await ended()
      for (const agent of agents) await agent.quiet()
      expect(done.slipped, 'records that only the kernel may make').to.equal(0)
      expect(done.sent).to.be.above(1000)
      const reads: Read[] = []
      for (const [index, agent] of agents.entries()) reads.push(await judged(readers[index]!, agent, done.happened))
      return reads
    } finally {
      for (const agent of agents) await agent.stop()
    }
  }

  async function judged(reader: Reader, agent: AgentProcess, happened: number): Promise<Read> {
    const { status, lines } = await agent.stop()
    const owners = new Map([victim, attacker].map(({ name, info }) => [name, info.containerID]))
    const { verdict } = new Judge(owners, attacker.info.containerID).poll(lines)
    expect({ reader: reader.name, wrong: verdict.wrong, count: verdict.wrongCount }).to.deep.equal({
      reader: reader.name,
      wrong: [],
      count: 0,
    })
    const what = JSON.stringify({ reader: reader.name, verdict, status })
    if (reader.whole) expect(violations(verdict), what).to.equal(happened)
    else expect(violations(verdict), what).to.be.within(1, happened)
    expect(verdict.named, reader.name).to.be.above(0)
    return { reader, verdict, status: status as Read['status'] }
  }

  /** Checks that the forged records reached the agent, and that it recognised them. */
  function expectSeen(reads: readonly Read[]): void {
    for (const { reader, verdict, status } of reads) {
      expect(status.untrusted, reader.name).to.be.above(0)
      if (reader.claims) expect(verdict.claims, reader.name).to.be.above(0)
      else expect(verdict.claims, reader.name).to.equal(0)
    }
  }

  /** Resolves when the daemons have written all records that the kernel has made until now. */
  const writtenUpTo = async (line: string): Promise<void> => {
    writeFileSync('/dev/kmsg', `${line}\n`)
    await until(async () => {
      if (daemons.some(({ exitCode }) => exitCode !== null)) throw new Error('a daemon has ended')
      return existsSync(kernelLog) && readFileSync(kernelLog, 'utf8').includes(line)
    })
  }

  it('is seen through in the multicast, in /dev/kmsg, and in the log of a syslog daemon, whose lines it can end', async () => {
    writeFileSync(kernelLog, '')
    daemons.push(spawn('syslogd', ['-n', '-O', kernelLog], { stdio: 'inherit' }))
    daemons.push(spawn('klogd', ['-n'], { stdio: 'inherit' }))
    await writtenUpTo('before the attack')
    await withAudit(true)
    const readers: Reader[] = [
      { name: 'multicast', args: ['--audit-source', 'multicast'], whole: true },
      { name: 'multicast-claims', args: ['--audit-source', 'multicast'], claims: true, whole: true },
      { name: 'kmsg', args: ['--audit-source', 'kmsg'], claims: true },
      { name: 'kern-log', args: ['--auditLogPaths', kernelLog], claims: true },
    ]
    const ended = () => sent().then(() => writtenUpTo('after the attack'))
    const reads = await attackBefore(readers, ended).finally(() => withAudit(false))
    expectSeen(reads)
    // The agent knows every process of the containers by its parents, whatever the name of its cgroup is and however
    // soon it ends.
    expect(reads[0]!.verdict.unnamed).to.have.all.keys(['profile-mismatch'])
  })

  it('is seen through in the log of auditd', async () => {
    const auditd = await Auditd.start()
    const stop = (): Promise<void> => auditd.stop()
    const reader: Reader = { name: 'audit-log', args: ['--auditLogPaths', '/var/log/audit/audit.log'] }
    const reads = await attackBefore([reader], stop).finally(stop)
    auditd.takeLog()
    expectSeen(reads)
  })
})
