import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { until } from '../../../cli/child.ts'
import { output } from '../../../cluster/command.ts'
import { reportsRefusals } from '../harness/seccomp-reports.ts'
import { type AgentOptions, AgentProcess, type Status } from './agent-process.ts'
import { Auditd } from './auditd.ts'
import { type Burst, burstOfAppArmor, burstOfSeccomp, denials, prepare, reported } from './burst.ts'

const many = 100_000
/** Number of records in a burst; the kernel's own rate limit would pass only a few. */
const some = 20_000

const sum = (counts: Record<string, number | null>): number =>
  Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0)

/** Losses that the agent has counted: before the records reached it, and within it. */
const lost = ({ dropped, stages }: Status): number => sum(dropped) + sum(stages.source[0]!.dropped)

const kernelLog = '/var/log/kern.log'

const linesOf = (text: string): string[] => text.split('\n')

/** Counts the records of the burst in a log that vArmor did not write. */
const denied = (lines: readonly string[]): number =>
  lines.filter((line) => /apparmor="DENIED".*name="\/data\/\d+"/.test(line)).length

describe('denials', function () {
  this.timeout(600_000)
  const agents: AgentProcess[] = []
  const daemons: ChildProcess[] = []
  let auditd: Auditd | undefined
  const start = async (name: string, options: Omit<AgentOptions, 'folder'> = {}): Promise<AgentProcess> => {
    const agent = await AgentProcess.start({ folder: `/tmp/log-${name}`, ...options })
    agents.push(agent)
    return agent
  }
  const daemon = (command: string, ...args: string[]): void => {
    daemons.push(spawn(command, args, { stdio: 'inherit' }))
  }
  before(prepare)
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.stop()
    await auditd?.stop()
    auditd?.takeLog()
    auditd = undefined
    for (const each of daemons.splice(0).reverse()) {
      each.kill('SIGTERM')
      while (each.exitCode === null && each.signalCode === null) await pause(50)
    }
    // Waits for the end of the daemons, because a running daemon would create the file again.
    rmSync(kernelLog, { force: true })
  })

  for (const [enforcer, open, hasIt] of [
    ['AppArmor', burstOfAppArmor, true],
    ['Seccomp', burstOfSeccomp, reportsRefusals],
  ] as const)
    describe(`a hundred thousand at once, of ${enforcer}${hasIt ? '' : ': no runc takes flags here'}`, () => {
      let burst: Burst
      before(async function () {
        if (!hasIt) return this.skip()
        burst = await open()
      })
      after(() => burst?.stop())

      it('arrive whole in the log, every one with its policy', async () => {
        const once = async (count: number): Promise<number> => {
          const agent = await start(`whole-${count}`, { containers: burst.known })
          expect(agent.source).to.equal('multicast')
          expect(await burst.denials(count)).to.equal(count)
          await agent.quiet()
          const { status, lines } = await agent.stop()
          const arrived = count - lost(status)
          expect(burst.reported(lines)).to.deep.equal({ files: arrived, lines: arrived })
          expect(status).to.deep.include({ deferred: 0, queued: 0 })
          // `lost` counts only losses with a known number. If it is 0, `dropped` must be empty.
          if (lost(status) === 0) expect(status).to.deep.include({ dropped: {} })
          const strange = lines.filter((line) => !/"policyName":"burst"|"lost":\{/.test(line))
          expect(strange).to.deep.equal([])
          return lost(status)
        }
        // Other processes may use the CPU for so long that the kernel's queue overflows. That loss is not the agent's
        // fault, so the test tries fewer denials then.
        let missing = await once(many)
        for (let count = many / 4; missing > 0 && count > many / 20; count /= 4) missing = await once(count)
        expect(missing).to.equal(0)
      })

      it('are in the log or among the counted losses, each one, when the agent is held up', async () => {
        const agent = await start('held-up', { containers: burst.known })
        agent.signal('SIGSTOP')
        expect(await burst.denials(many)).to.equal(many)
        agent.signal('SIGCONT')
        await agent.quiet()
        const { status, lines } = await agent.stop()
        const { files, lines: written } = burst.reported(lines)
        expect(files).to.equal(written)
        expect(lost(status)).to.be.above(0)
        expect(written + lost(status)).to.equal(many)
        expect(lines.filter((line) => line.includes('"lost":{'))).not.to.deep.equal([])
      })

      it('are few lines with --violations-rate, and lines count the others', async () => {
        const agent = await start('rate', { containers: burst.known, args: ['--violations-rate', '100'] })
        expect(await burst.denials(many)).to.equal(many)
        await agent.quiet()
        const { status, lines } = await agent.stop()
        const written = burst.reported(lines.filter((line) => !line.includes('"heldBack":{'))).lines
        expect(written).to.be.within(100, many / 10)
        const held = lines.flatMap((line) => /"heldBack":\{[^{]*"events":(\d+)/.exec(line)?.[1] ?? [])
        expect(held.reduce((sum, count) => sum + Number(count), 0)).to.equal(many - written - lost(status))
      })
    })

  it('arrive beside auditd, too, whose own log another agent reads whole', async () => {
    auditd = await Auditd.start()
    const beside = await start('beside-auditd')
    const reader = await start('of-auditd', { alone: true })
    expect([beside.source, reader.source]).to.deep.equal(['multicast', '/var/log/audit/audit.log'])
    expect(reader.said.map(({ code }) => code)).not.to.include('printk-limit')
    expect(await denials(some)).to.equal(some)
    await beside.quiet()
    // auditd writes in blocks, and the last block at its end.
    await auditd.stop()
    await reader.quiet()
    const [{ status, lines }, ofReader] = await Promise.all([beside.stop(), reader.stop()])
    const logged = auditd.takeLog()
    const ours = reported(lines)
    expect(ours.files).to.equal(ours.lines)
    // The kernel's counter also counts records that only auditd lost, and records of other types.
    expect(ours.lines).to.be.within(some - lost(status), some)
    expect(denied(logged)).to.be.within(1, some)
    expect(reported(ofReader.lines).lines).to.equal(denied(logged))
    expect(lost(ofReader.status)).to.equal(0)
  })

  describe('while no agent runs', () => {
    /** Stops an agent, causes that many refusals, and restarts the agent with its log and its checkpoint. */
    const missing = async (
      name: string,
      count: number,
      signal: 'SIGTERM' | 'SIGKILL',
      kept: () => Promise<unknown> = async () => undefined,
    ) => {
      const before = await start(name)
      expect(await denials(3)).to.equal(3)
      await before.quiet()
      agents.splice(agents.indexOf(before), 1)
      await before.leave(signal)
      expect(await denials(count)).to.equal(count)
      await kept()
      const after = await start(name, { after: before })
      expect(await denials(3)).to.equal(3)
      await after.quiet()
      const { lines } = await after.stop()
      const ids = lines.flatMap((line) => /"id":"([^"]*)"/.exec(line)?.[1] ?? [])
      const lost = lines.filter((line) => line.includes('"not-running"'))
      return { lines: reported(lines).lines, twice: ids.length - new Set(ids).size, lost }
    }
    /** Waits until the kernel's rate limit of ten records in five seconds is available in full. */
    const limitIsOpen = () => pause(6_000)
    const few = 3

    it('are taken from the kernel’s log by the next one, each one once, and nothing is said to be lost', async () => {
      await limitIsOpen()
      expect(await missing('missed', few, 'SIGKILL')).to.deep.equal({ lines: 3 + few + 3, twice: 0, lost: [] })
    })

    it('are said to be lost where the kernel’s log has not all of them', async () => {
      await limitIsOpen()
      const { lines, twice, lost: said } = await missing('missed-many', some, 'SIGTERM')
      expect(lines).to.be.within(6, some / 10)
      expect(twice).to.equal(0)
      expect(said).to.have.length(1)
    })

    it('are taken from the log of auditd, where that has them', async () => {
      auditd = await Auditd.start()
      // The daemon writes in blocks, late on a slow machine.
      const written = () => until(async () => denied(linesOf(readFileSync('/var/log/audit/audit.log', 'utf8'))) >= 900)
      const { lines, twice, lost: said } = await missing('missed-auditd', 1_000, 'SIGKILL', written)
      expect(twice).to.equal(0)
      expect(lines).to.be.within(900, 1_006)
      if (lines < 1_006) expect(said).to.have.length(1)
    })
  })

  describe('without the multicast and without auditd', () => {
    const limited = (agent: AgentProcess): void => {
      const said = agent.said.filter(({ code }) => code === 'printk-limit')
      expect(said).to.have.length(1)
      expect(said[0]!.remedy).to.contain('AUDIT_READ').and.contain('kernel.printk_ratelimit=0')
    }

    /**
     * Repeats the burst until the kernel passes a record, because earlier records may have used up its limit for five
     * seconds.
     * @param passed counts the records that arrived
     * @returns the number of all refusals
     */
    const bursts = async (passed: () => Promise<number>): Promise<number> => {
      let made = 0
      do {
        expect(await denials(some)).to.equal(some)
        made += some
      } while ((await passed()) === 0)
      return made
    }

    /** Resolves when the daemons have written all records that the kernel has made until now. */
    const writtenUpTo = async (line: string): Promise<void> => {
      writeFileSync('/dev/kmsg', `${line}\n`)
      await until(async () => {
        if (daemons.some(({ exitCode }) => exitCode !== null)) throw new Error('a daemon has ended')
        return readFileSync(kernelLog, 'utf8').includes(line)
      })
    }

    it('are lost in the kernel nearly all, which the agent says once, with a remedy: from kern.log', async () => {
      writeFileSync(kernelLog, '')
      daemon('syslogd', '-n', '-O', kernelLog)
      daemon('klogd', '-n')
      await writtenUpTo('before the burst')
      const logged = (): number => denied(linesOf(readFileSync(kernelLog, 'utf8')))
      const before = logged()
      const agent = await start('kern-log', { alone: true })
      expect(agent.source).to.equal(kernelLog)
      let burst = 0
      const made = await bursts(async () => {
        await writtenUpTo(`after burst ${burst++}`)
        return logged() - before
      })
      await agent.quiet()
      const { status, lines } = await agent.stop()
      limited(agent)
      expect(reported(lines).lines).to.equal(logged() - before)
      expect(reported(lines).lines).to.be.within(1, made / 10)
      expect(lost(status)).to.equal(0)
    })

    it('are lost in the kernel nearly all, which the agent says once, with a remedy: from /dev/kmsg', async () => {
      const logged = async (): Promise<number> => denied(linesOf(await output('dmesg', [])))
      // Without records of earlier tests, which new records would replace.
      await output('dmesg', ['-c'])
      const agent = await start('kmsg', { alone: true })
      expect(agent.source).to.equal('/dev/kmsg')
      const made = await bursts(logged)
      await agent.quiet()
      const { status, lines } = await agent.stop()
      limited(agent)
      expect(reported(lines).lines).to.equal(await logged())
      expect(reported(lines).lines).to.be.within(1, made / 10)
      expect(lost(status)).to.equal(0)
    })
  })
})
