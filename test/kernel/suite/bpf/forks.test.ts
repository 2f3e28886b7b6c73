import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'chai'
import type { ForkAnswer, ForkStats } from '../../../../src/audit/lineage/fork-addon.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { openEnforcer } from './enforcer.ts'
import type { Asked } from './follow-forks.ts'

const containerID = 'c'.repeat(64)

/** A process that follows forks, and that the test can pause. */
class Follower {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  constructor(folder: string) {
    this.#process = spawn(process.execPath, [join(import.meta.dirname, 'follow-forks.js'), folder])
    this.#process.stderr.pipe(process.stderr)
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  async answer<Answer>(): Promise<Answer> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('the process that follows forks has ended')
    return JSON.parse(value) as Answer
  }

  ask<Answer>(asked: Asked): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(asked)}\n`)
    return this.answer<Answer>()
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  async end(): Promise<void> {
    const ended = once(this.#process, 'close')
    this.#process.stdin.end()
    this.#process.kill()
    await ended
  }
}

/** A shell that forks `count` processes, which end at once. @returns pids of the shell, the first and the last one */
function fork(count: number): { pid: number; first: number; last: number } {
  const script = `i=0; while [ $i -lt ${count} ]; do (:) & echo $!; i=$((i+1)); wait; done; exec 1>&-; sleep 0`
  const { pid, stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8', maxBuffer: 1 << 24 })
  const pids = stdout.trim().split('\n').map(Number)
  return { pid, first: pids[0]!, last: pids.at(-1)! }
}

describe('forks that BPF programs follow', function () {
  this.timeout(900_000)
  let enforcer: BpfEnforcer
  let follower: Follower
  before(async () => {
    // The ring holds 512 changes.
    enforcer = await openEnforcer({ ringBytes: 1 << 16 })
    follower = new Follower(enforcer.folder)
    await follower.answer()
    expect(await follower.ask({ label: { pid: process.pid, containerID } })).to.equal(true)
  })
  after(async () => {
    await follower?.end()
    await enforcer?.end()
  })

  const find = (pid: number, earliest: number): Promise<ForkAnswer | null> =>
    follower.ask<ForkAnswer | null>({ find: { pid, earliest, latest: Date.now() / 1000 } })
  const stats = (): Promise<ForkStats> => follower.ask<ForkStats>({})

  it('name the container of processes that are gone, by whose children they were', async () => {
    const began = Date.now() / 1000
    const before = await stats()
    const { pid, first, last } = fork(50)
    for (const dead of [pid, first, last])
      expect(await find(dead, began), `${dead}`).to.include({ containerID, processes: 1, ask: 0 })
    const after = await stats()
    expect(after).to.include({ overruns: 0, socketDrops: 0, malformed: 0, forged: 0, error: 0 })
    expect(after.forks - before.forks).to.be.at.least(51)
    expect(after.exits - before.exits).to.be.at.least(51)
  })

  it('name the container that a runtime has put a process into, however soon it has ended', async () => {
    const began = Date.now() / 1000
    const id = 'd'.repeat(64)
    // A container may give any name to a cgroup below its own cgroup.
    const cgroup = `/sys/fs/cgroup/${id}/${'e'.repeat(64)}`
    const program = 'echo $$; (:) & echo $!; wait; exit 0'
    // Starts the program as a runtime does: a child that has not run a program yet enters the cgroup, and then runs the
    // container's program.
    const script = `mkdir -p ${cgroup}; (echo 0 > ${cgroup}/cgroup.procs && exec sh -c '${program}'); :`
    const { stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], { encoding: 'utf8' })
    spawnSync('rmdir', [cgroup, join(cgroup, '..')])
    const pids = stdout.trim().split('\n').map(Number)
    expect(pids, stderr).to.have.length(2)
    for (const dead of pids) expect(await find(dead, began)).to.include({ containerID: id, processes: 1, ask: 0 })
  })

  it('count what found the ring full, answer nothing that is not certain, and know the living again', async () => {
    const began = Date.now() / 1000
    follower.signal('SIGSTOP')
    const { first, last } = fork(1_000)
    follower.signal('SIGCONT')
    const { overruns, socketDrops, forks } = await stats()
    console.log(`      1,000 forks while the reader was stopped: ${forks} are known, ${socketDrops} changes were lost`)
    expect(overruns).to.be.at.least(1)
    expect(socketDrops).to.be.above(0)
    for (const dead of [first, last]) expect(await find(dead, began)).to.equal(null)
    while ((await stats()).scans < 2) await new Promise((resolve) => setTimeout(resolve, 100))
    const since = Date.now() / 1000
    const { last: next } = fork(3)
    expect(await find(next, since)).to.include({ containerID, processes: 1 })
  })
})
