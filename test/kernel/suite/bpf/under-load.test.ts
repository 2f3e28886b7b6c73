import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { stateRoot } from '../../../../src/enforcer/bpf/state.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { CONTAINERS } from '../../../../src/profile/bpf/limits.ts'
import { checkLine } from '../../../audit/check-line.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { Container } from '../harness/container.ts'
import { compiled, identityOf, policyOf } from '../harness/profiles.ts'
import { python } from '../harness/python.ts'
import type { Orders } from './agent-to-kill.ts'
import { guestObject, openEnforcer } from './enforcer.ts'
import { RacingProbe } from './racing-probe.ts'

const name = 'under-load'
const files = { forbidden: '/etc/passwd', allowed: '/etc/group' }
/** Minimum tries of the probes while a profile is replaced, and the number of times that an agent is killed. */
const tries = Number(process.env['VARMOR_HOSTILE_TRIES'] ?? 20_000)
const kills = Number(process.env['VARMOR_HOSTILE_KILLS'] ?? 8)

const idOf = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A policy that forbids one file of the probe and many other files. */
const policy = (rules: number, report: boolean) =>
  policyOf(
    name,
    'enforced',
    {
      ...{ privileged: true, auditViolations: report },
      bpfRawRules: {
        files: [files.forbidden, ...Array.from({ length: rules }, (_, i) => `/srv/${i}/**`)].map((pattern) => ({
          pattern,
          permissions: ['read'],
        })),
      },
    },
    'BPF',
  )

/** Contents of a profile that differ only in rules that the probe does not use. */
const contents = (rules: number, report: boolean): string[] =>
  [rules, rules + 1].map((count) => JSON.stringify(compiled(policy(count, report)).enforcers.BPF!.profile))

const { profileName } = identityOf(policy(1, false))

/** Another build of the same programs, and larger maps. */
const opening = { object: '/tmp/other.bpf.o', sizes: { containers: 60_000, profiles: 4_000 } }

/**
 * Starts chains of processes that never run a program: each process forks the next one and ends, and the next one tries
 * the file.
 */
const forking = python(
  'import signal, time',
  'note = lambda what: os.write(os.open(f"/tmp/{what}", os.O_WRONLY | os.O_APPEND | os.O_CREAT), b"x")',
  // With SIGCHLD ignored, the kernel frees ended children at once.
  'signal.signal(signal.SIGCHLD, signal.SIG_IGN)',
  'if os.fork(): sys.exit(0)',
  'os.setsid(); done(libc.prctl(36, 1))',
  'for fd in 1, 2: os.dup2(os.open("/dev/null", os.O_WRONLY), fd)',
  'for _ in range(16):',
  '  if os.fork(): continue',
  '  while not os.path.exists("/tmp/stop"):',
  '    if os.fork(): os._exit(0)',
  `    try: os.open("${files.forbidden}", os.O_RDONLY); note("passed")`,
  '    except PermissionError: note("refused")',
  '    os.closerange(3, 99)',
  '  os._exit(0)',
  'while not os.path.exists("/tmp/stop"): time.sleep(0.1)',
)

describe('BPF profiles under load', function () {
  this.timeout(600_000)
  let container: Container
  let enforcer: BpfEnforcer
  /** Binds a new container while its processes fork all the time, and expects that each process is bound. */
  const bindForking = async (name: string): Promise<void> => {
    const late = await Container.start(name, { image: debianImage })
    const { containerID } = late.info
    const counted = async (what: string): Promise<number> =>
      Number((await late.run(`cat /tmp/${what} 2> /dev/null | wc -c`)).text)
    try {
      expect(await late.run(forking)).to.include({ status: 0 })
      while ((await counted('passed')) < 100) await pause(100)
      await enforcer.add({ id: containerID, profile: profileName })
      while ((await enforcer.find()).size > 0);
      // The counts may include files that a task opened before it was bound to the profile.
      const settled = (await counted('refused')) + 50
      while ((await counted('refused')) < settled) await pause(100)
      const passed = await counted('passed')
      while ((await counted('refused')) < settled + 500) await pause(100)
      expect(await counted('passed')).to.equal(passed)
    } finally {
      await late.run('touch /tmp/stop')
      await late.stop()
      await enforcer.remove(containerID)
    }
  }

  before(async () => {
    await output('containerd-up', [])
    enforcer = await openEnforcer()
    const [first] = contents(1_000, false)
    await enforcer.load(profileName, first!)
    await enforcer.add({ id: idOf(name), profile: profileName })
    container = await Container.start(name, { image: debianImage })
    expect(await enforcer.find()).to.deep.equal(new Map())
  })
  after(() => container?.stop())

  it('of 1,000 rules, in 4,096 containers, are replaced without a moment at which another thing holds', async () => {
    const others = Array.from({ length: 4_096 }, (_, i) => idOf(`other ${i}`))
    expect(others.length).to.be.below(CONTAINERS)
    for (const id of others) await enforcer.add({ id, profile: profileName })
    const both = contents(1_000, false)
    const probes = ['one', 'two'].map((probe) => RacingProbe.start(container.info.containerID, probe, files))
    let replaced = 0
    while (replaced < 100 || probes.some(({ seen }) => seen.tries < tries / 2))
      await enforcer.load(profileName, both[++replaced % 2]!)
    const seen = await Promise.all(probes.map((probe) => probe.stop()))
    for (const id of others) await enforcer.remove(id)
    const all = seen.reduce((sum, one) => sum + one.tries, 0)
    console.log(`      ${replaced} replacements, ${all} tries`)
    for (const { passed, refused } of seen) expect({ passed, refused }).to.deep.equal({ passed: 0, refused: 0 })
    expect(all).to.be.at.least(tries)
  })

  it('hold while programs of another build, with larger maps, take the place of those in force', async () => {
    copyFileSync(guestObject(), opening.object)
    // ELF readers ignore bytes after the end of the file's content.
    appendFileSync(opening.object, 'x')
    const probe = RacingProbe.start(container.info.containerID, 'upgrade', files)
    await probe.after(1_000)
    const next = await openEnforcer(opening)
    expect(readdirSync(stateRoot)).to.have.length(2)
    await next.load(profileName, contents(1_000, false)[0]!)
    const bound = await next.settle([{ id: container.info.containerID, profile: profileName }])
    expect([...bound.keys()], 'ran without a profile').to.deep.equal([])
    await next.expect(new Set([profileName]))
    expect(readdirSync(stateRoot)).to.have.length(1)
    await probe.after(probe.seen.tries + 1_000)
    expect(await probe.stop()).to.include({ passed: 0, refused: 0 })
    enforcer = next
  })

  it('hold whenever the agent is killed, and each violation is in the log', async () => {
    const folder = '/tmp/killed'
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    const log = join(folder, 'violations.log')
    const orders: Orders = {
      ...{ log, container: { ...container.info, profileName }, policy: identityOf(policy(1, true)) },
      contents: contents(20, true),
      opening,
    }
    const ids = new LoggedIds(log)
    const counted = (): number => enforcer.counters().reported
    const before = counted()
    // As many rules as compile quickly; each violation is reported.
    await enforcer.load(profileName, orders.contents[0]!)
    const probe = RacingProbe.start(container.info.containerID, 'kill', files, { nap: 2_000 })
    for (let i = 0; i <= kills; i++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'agent-to-kill.js'), JSON.stringify(orders)])
      const ended = once(child, 'close')
      let replaced = 0
      let errors = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('replaced')) replaced++
      })
      const enough = 1 + (i % 5)
      while (replaced < enough && child.exitCode === null) await pause(10)
      expect(child.exitCode, errors).to.equal(null)
      // The last agent reads the remaining records.
      if (i === kills) {
        await probe.stop()
        while (ids.read().size < counted() - before) await pause(1_000)
      } else if (i % 2 === 1) {
        // The agent's first lines are in the log, but its checkpoint may not cover them yet.
        const had = ids.read().size
        while (ids.read().size === had && had < counted() - before) await pause(1)
      } else await pause(37 * (i % 7))
      child.kill('SIGKILL')
      await ended
      if (i % 10 === 9)
        console.log(`      ${i + 1} kills; ${counted() - before} records, ${ids.read().size} in the log`)
    }
    expect(probe.seen).to.include({ passed: 0, refused: 0 })
    const { reported, ringFull } = enforcer.counters()
    console.log(
      `      ${kills} kills; ${probe.seen.tries} tries; ${reported - before} records, and ${ringFull} found the ring full; ` +
        `${ids.lines} lines, of which ${ids.lines - ids.read().size} are there twice`,
    )
    expect(ids.read().size).to.equal(reported - before)
    expect(ids.lines, 'each of them once').to.equal(ids.read().size)
    for (const line of ids.first) checkLine(line)
  })

  it('hold while processors go and come', async function () {
    const online = '/sys/devices/system/cpu/cpu1/online'
    if (!existsSync(online)) {
      console.warn('      skipped: this guest has no processor that can be taken away')
      this.skip()
    }
    const probe = RacingProbe.start(container.info.containerID, 'processors', files, { processes: 4 })
    for (let i = 0; i < 6; i++) {
      writeFileSync(online, String(i % 2))
      await probe.after(probe.seen.tries + tries / 20)
    }
    expect(await probe.stop()).to.include({ passed: 0, refused: 0 })
  })

  it('hold for each process of those that fork and end all the time, once their container is bound', async () => {
    const pids = '/proc/sys/kernel/pid_max'
    const before = readFileSync(pids, 'utf8')
    // The killed agents have moved the profile to other slots.
    enforcer = await openEnforcer(opening)
    // Pids wrap around within the test, so a walk over /proc may already have passed the pid of a new child.
    writeFileSync(pids, '2000')
    try {
      for (let round = 0; round < 3; round++) await bindForking(`forking-${round}`)
    } finally {
      writeFileSync(pids, before)
    }
  })

  it('hold no longer when they are ended', async () => {
    await enforcer.end()
    expect(existsSync(stateRoot)).to.equal(false)
    // The kernel detaches a program some time after its pin is removed.
    while ((await container.run(`cat ${files.forbidden}`)).status !== 0) await pause(20)
  })
})

/**
 * Ids of the violations in a growing log. A kill may leave an incomplete last line, which the next agent removes, so
 * that part is read again.
 */
class LoggedIds {
  lines = 0
  readonly first: string[] = []
  readonly #file: number
  readonly #ids = new Set<string>()
  readonly #buffer = Buffer.alloc(1 << 20)
  /** Offset after the last complete line that was read. */
  #end = 0

  constructor(log: string) {
    this.#file = openSync(log, 'a+')
  }

  /**
   * Reads new lines.
   * @returns the ids of all lines so far
   */
  read(): ReadonlySet<string> {
    for (;;) {
      const bytes = readSync(this.#file, this.#buffer, 0, this.#buffer.length, this.#end)
      const text = this.#buffer.toString('latin1', 0, bytes)
      const whole = text.lastIndexOf('\n') + 1
      if (whole === 0) return this.#ids
      for (const line of text.slice(0, whole - 1).split('\n')) this.#add(line)
      this.#end += whole
    }
  }

  #add(line: string): void {
    if (this.first.length < 20) this.first.push(line)
    const id = /"message":"violation event".*?"id":"([^"]+-bpf-[^"]+)".*\}$/.exec(line)?.[1]
    if (id === undefined) return
    this.lines++
    this.#ids.add(id)
  }
}
