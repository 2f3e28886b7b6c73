import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { BpfBinding } from '../../../src/agent/bpf/bpf-binding.ts'
import { describeContainer } from '../../../src/agent/containers/describe-container.ts'
import type { NodeContainer } from '../../../src/agent/containers/runtime.ts'
import { noLogger } from '../../../src/base/logger.ts'
import type { BpfContainer } from '../../../src/enforcer/bpf.ts'
import { EnforcerError } from '../../../src/enforcer/enforcer-error.ts'
import { ManualClock, turn } from '../../audit/manual-clock.ts'
import { made, sandbox } from '../containers/made-containers.ts'

const idOf = (name: string): string => createHash('sha256').update(name).digest('hex')
const profile = 'varmor-demo-web'
const annotated = (value: string) => ({ 'container.bpf.security.beta.varmor.org/web': value })
const named = annotated(`localhost/${profile}`)

const running = (name: string, podAnnotations: Record<string, string> = named): NodeContainer =>
  describeContainer(made(idOf(name)), 7, { mntNsID: 5, initStart: 1_000 }, { ...sandbox, annotations: podAnnotations })
const created = (name: string, podAnnotations: Record<string, string> = named) => ({
  containerID: idOf(name),
  containerName: 'web',
  podAnnotations,
})

/** An enforcer that records its calls. */
class FakeEnforcer {
  readonly calls: string[] = []
  /** Tasks that a check of all tasks finds unbound. */
  late = new Map<string, number>()
  refuses = false
  /** Containers that are already bound. */
  readonly numbered = new Set<string>()

  async add({ id, profile: wanted, mntNsID, addresses = [] }: BpfContainer): Promise<void> {
    if (this.refuses) throw new EnforcerError('KERNEL_REFUSED', 'bind the container', { reason: 'no' })
    this.calls.push(['add', id.slice(0, 4), wanted, mntNsID, ...addresses].join(' ').trim())
  }

  async start(container: BpfContainer): Promise<void> {
    return this.add(container)
  }

  /** The result of a wait for a profile's load. */
  loads = Promise.resolve(false)

  loaded(): Promise<boolean> {
    return this.loads
  }

  async remove(id: string): Promise<void> {
    this.calls.push(`remove ${id.slice(0, 4)}`)
  }

  numberOf(id: string): number | undefined {
    return this.numbered.has(id) ? 1 : undefined
  }

  async find(): Promise<Map<string, number>> {
    this.calls.push('find')
    return this.late
  }

  async settle(containers: readonly BpfContainer[]): Promise<Map<string, number>> {
    this.calls.push(`settle ${containers.map(({ id }) => id.slice(0, 4)).join()}`)
    return this.late
  }
}

describe('containers and their BPF profiles', () => {
  const world = (more: object = {}) => {
    const enforcer = new FakeEnforcer()
    const clock = new ManualClock()
    const warned: object[] = []
    const logger = { ...noLogger, warn: (fields: object) => void warned.push(fields) }
    const [made, sinceBoot] = [clock.now(), () => clock.now() - made + 12_000]
    return { enforcer, clock, warned, binding: new BpfBinding({ enforcer, clock, sinceBoot, logger, ...more }) }
  }
  const [a, b] = [idOf('a').slice(0, 4), idOf('b').slice(0, 4)]

  it('are bound before they start, with their mount namespace once that is known, and forgotten at their end', async () => {
    const { enforcer, binding, warned } = world()
    await binding.created(created('a'))
    expect(enforcer.calls).to.deep.equal([`add ${a} ${profile}`])
    await binding.changed([{ type: 'started', container: running('a') }])
    await binding.changed([{ type: 'ended', containerID: idOf('a') }])
    await binding.deleted(idOf('a'))
    expect(enforcer.calls.slice(1)).to.deep.equal([`add ${a} ${profile} 5`, 'find', `remove ${a}`])
    expect(warned).to.deep.equal([])
    expect(binding.status).to.deep.equal({ late: 0, maxLate: 0, failed: 0 })
  })

  it('are given the addresses of their pod once they are bound, before they start where that can be', async () => {
    const addressesOf = async (pid: number) => (pid === 9 ? undefined : [`10.0.0.${pid}`])
    const { enforcer, binding } = world({ addressesOf })
    await binding.created({ ...created('a'), initPid: 6 })
    await binding.created({ ...created('b'), initPid: 9 })
    await binding.changed([{ type: 'started', container: running('a') }])
    await binding.listed([running('b'), { ...running('a'), initPid: 9 }])
    expect(enforcer.calls).to.deep.equal([
      ...[`add ${a} ${profile}`, `add ${a} ${profile}  10.0.0.6`, `add ${b} ${profile}`],
      ...[`add ${a} ${profile} 5`, `add ${a} ${profile} 5 10.0.0.7`, 'find'],
      ...[`settle ${b},${b},${a}`, `add ${b} ${profile} 5 10.0.0.7`],
    ])
  })

  it('keep the addresses that their pod has had once, whatever they do to their network', async () => {
    let given: string[] = []
    const { enforcer, binding } = world({ addressesOf: async () => given })
    await binding.changed([{ type: 'started', container: running('a') }])
    for (const now of [['10.0.0.7'], ['10.0.0.8'], []]) {
      given = now
      await binding.listed([running('a')])
    }
    expect(enforcer.calls.filter((call) => call.includes('10.0.0'))).to.deep.equal([`add ${a} ${profile} 5 10.0.0.7`])
    await binding.listed([])
    given = ['10.0.0.9']
    await binding.listed([running('a')])
    expect(enforcer.calls.at(-1)).to.equal(`add ${a} ${profile} 5 10.0.0.9`)
  })

  for (const [what, annotations] of [
    ['no annotation', {}],
    ['one that lets it be', annotated('unconfined')],
    ['a profile that is not of ours', annotated('localhost/other')],
    ['one of another container', { 'container.bpf.security.beta.varmor.org/other': `localhost/${profile}` }],
    ['an AppArmor profile', { 'container.apparmor.security.beta.kubernetes.io/web': `localhost/${profile}` }],
  ] as [string, Record<string, string>][])
    it(`stay free with ${what}`, async () => {
      const { enforcer, binding } = world()
      await binding.created(created('a', annotations))
      await binding.changed([{ type: 'started', container: running('a', annotations) }])
      expect(enforcer.calls).to.deep.equal([])
    })

  it('that ran without their profile are named, with the time that they did', async () => {
    const { enforcer, binding, warned, clock } = world()
    enforcer.late = new Map([[idOf('a'), 3]])
    await clock.advance(500)
    await binding.changed([{ type: 'started', container: running('a') }])
    expect(warned).to.have.length(1)
    expect(warned[0]).to.deep.include({
      containerID: idOf('a'),
      container: 'web',
      profile,
      tasks: 3,
      durationMs: 2_500,
    })
    expect(binding.status).to.deep.equal({ late: 1, maxLate: 2_500, failed: 0 })
  })

  it('that have ended by the time of the look are named, too', async () => {
    const { enforcer, binding, warned } = world()
    enforcer.late = new Map([[idOf('a'), 0]])
    const ended = { type: 'ended' as const, containerID: idOf('a') }
    await binding.changed([{ type: 'started', container: running('a') }, ended])
    expect(warned[0]).to.deep.include({ containerID: idOf('a'), tasks: 0 })
    expect(enforcer.calls).to.deep.equal([`add ${a} ${profile} 5`, 'find', `remove ${a}`])
  })

  for (const [what, end] of [
    ['ends', (binding) => binding.deleted(idOf('a'))],
    ['is listed no more', (binding) => binding.listed([])],
  ] as [string, (binding: BpfBinding) => Promise<void>][])
    it(`that ran without their profile are named, too, where one ${what} before the look that found it does`, async () => {
      const { enforcer, binding, warned } = world()
      let done = (_late: Map<string, number>): void => undefined
      enforcer.find = () =>
        new Promise((resolve) => {
          done = resolve
        })
      const looking = binding.changed([{ type: 'started', container: running('a') }])
      await turn()
      await end(binding)
      done(new Map([[idOf('a'), 1]]))
      await looking
      expect(warned).to.have.length(1)
      expect(warned[0]).to.deep.include({ containerID: idOf('a'), profile, tasks: 1 })
      expect(binding.status.late).to.equal(1)
    })

  it('that ran without their profile are named, too, where one ends before anybody could look', async () => {
    let read = (_addresses: string[]): void => undefined
    const addressesOf = () =>
      new Promise<string[]>((resolve) => {
        read = resolve
      })
    const { enforcer, binding, warned } = world({ addressesOf })
    enforcer.late = new Map([[idOf('a'), 0]])
    const started = binding.changed([{ type: 'started', container: running('a') }])
    await turn()
    await binding.changed([{ type: 'ended', containerID: idOf('a') }])
    read([])
    await started
    expect(warned[0]).to.deep.include({ containerID: idOf('a'), tasks: 0 })
  })

  it('that end during a search are remembered in a bounded number: the newest 4,096', async () => {
    const { enforcer, binding, warned } = world()
    const names = Array.from({ length: 4_097 }, (_, i) => `ended-${i}`)
    const changes = names.map((name) => ({ type: 'started' as const, container: running(name) }))
    await binding.changed(changes)
    let done = (_late: Map<string, number>): void => undefined
    enforcer.find = () =>
      new Promise((resolve) => {
        done = resolve
      })
    const found = binding.find()
    for (const name of names) await binding.deleted(idOf(name))
    done(new Map([names[0]!, names[1]!, names.at(-1)!].map((name) => [idOf(name), 1])))
    await found
    const named = warned.map((fields) => (fields as { containerID: string }).containerID)
    expect(named).to.deep.equal([idOf(names[1]!), idOf(names.at(-1)!)])
  })

  it('that run by the time that their making is told are bound as those that have started', async () => {
    const { enforcer, binding } = world()
    enforcer.start = async ({ id }) => void enforcer.calls.push(`start ${id.slice(0, 4)}`)
    await binding.created({ ...created('a'), runs: true })
    await binding.created(created('b'))
    expect(enforcer.calls).to.deep.equal([`start ${a}`, `add ${b} ${profile}`])
  })

  it('are settled with each full list: those that run, and those that are about to', async () => {
    const { enforcer, binding, clock } = world()
    await binding.created(created('a'))
    await binding.changed([{ type: 'started', container: running('b') }])
    enforcer.calls.length = 0
    await binding.listed([running('b')])
    await clock.advance(121_000)
    await binding.listed([running('b')])
    expect(enforcer.calls).to.deep.equal([`settle ${a},${b}`, `settle ${b}`])
  })

  it('are freed that were bound and are to have no profile any more', async () => {
    const { enforcer, binding } = world()
    enforcer.numbered.add(idOf('a')).add(idOf('b'))
    await binding.listed([running('a', {}), running('b'), running('c', {})])
    await binding.changed([{ type: 'started', container: running('b', {}) }])
    expect(enforcer.calls).to.deep.equal([`settle ${a},${b}`, `add ${b}  5`, 'find'])
  })

  it('that ended without an event are forgotten with the next list', async () => {
    const { enforcer, binding } = world()
    await binding.changed([{ type: 'started', container: running('a') }])
    enforcer.calls.length = 0
    await binding.listed([])
    expect(enforcer.calls).to.deep.equal(['settle '])
  })

  it('are bound though the addresses of their pod cannot be read', async () => {
    const fails = () => Promise.reject(Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' }))
    const { enforcer, binding } = world({ addressesOf: fails })
    await binding.changed([{ type: 'started', container: running('a') }])
    await binding.listed([running('a')])
    expect(enforcer.calls.slice(0, 2)).to.deep.equal([`add ${a} ${profile} 5`, 'find'])
  })

  it('that cannot be bound are counted and named', async () => {
    const { enforcer, binding, warned } = world()
    enforcer.refuses = true
    await binding.created(created('a'))
    expect(warned).to.deep.equal([{ code: 'KERNEL_REFUSED', reason: 'bind the container: no', containerID: idOf('a') }])
    expect(binding.status.failed).to.equal(1)
  })

  it('wait with their start until their profile is loaded, and are known then', async () => {
    const { enforcer, binding } = world()
    let load = (_waited: boolean): void => undefined
    enforcer.loads = new Promise((resolve) => {
      load = resolve
    })
    const starts = ['a', 'b'].map((name) =>
      binding.created(created(name)).then(() => enforcer.calls.push(`start ${name}`)),
    )
    await turn()
    await binding.deleted(idOf('b'))
    expect(enforcer.calls).to.deep.equal([`add ${a} ${profile}`, `add ${b} ${profile}`, `remove ${b}`])
    load(true)
    await Promise.all(starts)
    expect(enforcer.calls.slice(3)).to.deep.equal([`add ${a} ${profile}`, 'start b', 'start a'])
  })

  it('that ran without their profile before they were said to have started are named when that is said', async () => {
    const { enforcer, binding, warned } = world()
    await binding.created(created('a'))
    enforcer.late = new Map([[idOf('a'), 2]])
    await binding.find()
    enforcer.late = new Map()
    expect(binding.status.late).to.equal(0)
    await binding.changed([{ type: 'started', container: running('a') }])
    expect(warned).to.have.length(1)
    expect(warned[0]).to.deep.include({ containerID: idOf('a'), tasks: 2 })
    await binding.listed([running('a')])
    expect(binding.status.late).to.equal(1)
  })

  it('wait, where starts are strict, until they are known, whether they have a profile or not', async () => {
    const { enforcer, binding } = world({ strictStart: true })
    await binding.created(created('a', {}))
    expect(enforcer.calls).to.deep.equal([`add ${a}`])
    await binding.changed([{ type: 'started', container: running('a', {}) }])
    expect(enforcer.calls.slice(1)).to.deep.equal([`add ${a}  5`, 'find'])
  })
})
