import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { ConfinedContainer } from '../evasions/confine.ts'
import { privileged } from '../evasions/world.ts'
import { python } from '../harness/python.ts'

/** PTRACE_SEIZE */
const trace = (pid: number) => python(`call(101, 0x4206, ${pid}, 0, 0)`, 'print("traced")')

describe('evasions: the runtime on its way into the container (BPF)', () => {
  let container: ConfinedContainer
  const others: ChildProcess[] = []

  before(async function () {
    this.timeout(600_000)
    await output('containerd-up', [])
    // The container sees all processes of the node, like a pod with hostPID.
    const flags = ['--privileged', '--with-ns', 'pid:/proc/1/ns/pid']
    const options = { image: debianImage, flags, policy: privileged('runtime')('BPF') }
    container = await ConfinedContainer.start('evasions-runtime', options)
    await container.load()
  })
  after(async () => {
    for (const other of others) other.kill()
    await container?.stop()
  })

  const other = (): number => {
    others.push(spawn('sleep', ['600']))
    return others.at(-1)!.pid!
  }

  /**
   * Simulates runc between its entry into the container's cgroup and the start of the container's program.
   * @returns its pid
   */
  const onItsWay = (): number => {
    const pid = other()
    const cgroup = /^0::(.*)$/m.exec(readFileSync(`/proc/${container.initPid}/cgroup`, 'utf8'))![1]!
    writeFileSync(`/sys/fs/cgroup${cgroup}/cgroup.procs`, `${pid}`)
    return pid
  }

  it('is not traced by who is confined', async () => {
    const pid = onItsWay()
    const { status, text } = await container.runConfined(trace(pid))
    expect(text).to.match(/operation not permitted/i)
    expect(status).to.equal(1)
    expect((await container.run(trace(pid))).text).to.equal('traced')
  })

  it('another process is, as no rule is about it', async () => {
    expect((await container.runConfined(trace(other()))).text).to.equal('traced')
  })
})
