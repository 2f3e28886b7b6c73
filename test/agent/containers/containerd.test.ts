import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { ContainerWatch } from '../../../src/agent/containers/container-watch.ts'
import { Containerd } from '../../../src/agent/containers/containerd.ts'
import { processFacts } from '../../../src/agent/containers/process-facts.ts'
import type { ExecStarted, RuntimeError } from '../../../src/agent/containers/runtime.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { thrownBy } from '../../enforcer/loader-contract.ts'
import { needsContainerd, RealContainerd } from './real-containerd.ts'

const labels = (pod: string): Record<string, string> => ({
  'io.kubernetes.pod.name': pod,
  'io.kubernetes.pod.namespace': 'demo',
  'io.kubernetes.pod.uid': `uid-${pod}`,
  'io.kubernetes.container.name': 'web',
})

describe('containers of a real containerd', () => {
  let real: RealContainerd
  let runtime: Containerd
  let watch: ContainerWatch
  let lost: RuntimeError[]
  let started: number
  let lists: number
  let execs: ExecStarted[]
  /** Answers to list requests wait for this promise. */
  let hold: Promise<unknown>
  const until = async (what: () => boolean): Promise<void> => {
    for (const end = performance.now() + 600_000; performance.now() < end && !what(); ) await pause(20)
    const state = `waited; known ${known()}, lists ${lists}, lost ${lost.map(({ message }) => message).join(' | ')}`
    expect(what(), state).to.equal(true)
  }
  const known = (): string[] => [...watch.containers.keys()].sort()

  beforeEach(async function () {
    needsContainerd(this)
    real = new RealContainerd()
    await real.start()
    runtime = new Containerd({ socket: real.socket, deadline: 600_000 })
    lost = []
    hold = Promise.resolve()
    started = 0
    lists = 0
    execs = []
    watch = new ContainerWatch({
      runtime: {
        containers: () =>
          hold.then(() => {
            started++
            return runtime.containers()
          }),
        tasks: () => runtime.tasks(),
        sandboxes: (id) => runtime.sandboxes(id),
        container: (id) => runtime.container(id),
        subscribe: (onEvent, signal) => runtime.subscribe(onEvent, signal),
      },
      facts: processFacts(),
      onChange: () => undefined,
      onExec: (exec) => execs.push(exec),
      onLost: (error) => lost.push(error as RuntimeError),
      onListed: () => lists++,
      clock: systemClock,
      random: Math.random,
    })
  })
  afterEach(async () => {
    if (real === undefined) return
    await watch.stop()
    runtime.close()
    await real.dispose()
  })

  it('are found at the start, by events, and after it was down; those that went meanwhile are gone', async () => {
    real.run('before', labels('before-1'))
    real.run('pause-before', { ...labels('before-1'), 'io.cri-containerd.kind': 'sandbox' })
    const running = watch.start()
    await until(() => known().join() === 'before')
    const before = watch.containers.get('before')!
    expect(before).to.deep.include({
      containerName: 'web',
      podName: 'before-1',
      podNamespace: 'demo',
      podUID: 'uid-before-1',
      profileName: '',
    })
    expect(before.mntNsID).to.equal(statSync(`/proc/${before.initPid}/ns/mnt`).ino)
    await until(() => lists >= 2)
    // From here on, the watch learns of containers only by events.
    const held = new AbortController()
    hold = once(held.signal, 'abort')
    await pause(0)
    await until(() => lists === started)
    const listed = lists
    real.run('during', labels('during-1'))
    await until(() => known().join() === 'before,during')
    const from = Math.floor(Date.now() / 1000)
    real.exec('during')
    real.execSleep('during')
    real.remove('before')
    await until(() => known().join() === 'during')
    expect(execs.map(({ containerID }) => containerID)).to.deep.equal(['during', 'during'])
    expect(readFileSync(`/proc/${execs[1]!.pid}/cmdline`, 'latin1')).to.equal('/usr/bin/sleep\x001001\x00')
    for (const { at } of execs) expect(at).to.be.within(from, Math.floor(Date.now() / 1000))
    expect(lists).to.equal(listed)

    held.abort()
    await real.kill()
    await until(() => lost.length > 0)
    expect(known()).to.deep.equal(['during'])
    await real.start()
    real.remove('during')
    real.run('after', labels('after-1'))
    await until(() => known().join() === 'after')
    expect(lost[0]).to.include({ name: 'RuntimeError' })
    await watch.stop()
    await running
  })

  it('are asked for with a time limit, and what is not there is no error', async () => {
    expect(await runtime.version()).to.match(/^v?\d+\.\d+/)
    expect(await runtime.container('none')).to.equal(undefined)
    expect(await runtime.sandboxes()).to.deep.equal([])
    await real.kill()
    const error = (await thrownBy(runtime.containers())) as unknown as RuntimeError
    expect(error).to.include({ name: 'RuntimeError', code: 'UNAVAILABLE' })
  })
})
