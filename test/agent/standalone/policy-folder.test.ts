import { expect } from 'chai'
import { compilerJobs } from '../../../actors/compiler/jobs.ts'
import { CompilerError, type Compilers } from '../../../actors/compiler/ports.ts'
import { judgeStandalone } from '../../../src/agent/standalone/judge.ts'
import { FolderError, type SeenFile } from '../../../src/agent/standalone/policy-files.ts'
import { PolicyFolder } from '../../../src/agent/standalone/policy-folder.ts'
import type { HeldPolicy } from '../../../src/agent/standalone/policy-set.ts'
import type { ArmorProfile } from '../../../src/api/types.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { readPolicies } from '../../../src/cli/read-policies.ts'
import type { Change } from '../../../src/kube/change.ts'
import { ManualClock, turn } from '../../audit/manual-clock.ts'
import { held, type PolicyWishes, policyObject } from './made-policies.ts'

/** The compilers' work, on this thread. */
const compilers: Compilers = {
  run: async (job, input) => (compilerJobs[job] as (...input: unknown[]) => never)(...input),
}
const busy: Compilers = { run: () => Promise.reject(new CompilerError('BUSY', 'the compilers have too much to do')) }
const text = (name: string, wishes: PolicyWishes = {}): string => JSON.stringify(policyObject(name, wishes))

class World {
  readonly files = new Map<string, string>()
  readonly clock = new ManualClock()
  /** Changes that the folder delivered: type, name, generation, whether the policy is being removed. */
  readonly changes: string[] = []
  readonly logged: string[] = []
  saved: readonly HeldPolicy[] | undefined
  /** The confining profiles after each change. */
  readonly confining: string[][] = []
  writing = new Set<string>()
  refused: string | undefined
  fails = false
  /** A file with this text makes the reader fail. */
  unreadable: string | undefined
  /** Tells whether the agent fails to store the profiles in force. */
  full = false
  /** Policies are validated after this promise. */
  judging: Promise<void> = Promise.resolve()
  /** The compilers are busy. */
  busy = false
  watches = 0
  looks = 0
  folder: PolicyFolder
  #changed: () => void = () => undefined

  constructor(memory?: readonly HeldPolicy[]) {
    const note =
      (level: string) =>
      (fields: object): void =>
        void this.logged.push(`${level} ${(fields as { reason?: string }).reason ?? ''}`)
    this.folder = new PolicyFolder({
      folder: '/p',
      files: {
        scan: async () => {
          this.looks++
          if (this.refused !== undefined) throw new FolderError(this.refused)
          if (this.fails) throw new Error('a bug')
          return new Map(
            Array.from(this.files, ([name, bytes]): [string, SeenFile] =>
              this.writing.has(name)
                ? [name, 'being written']
                : [name, { version: String(this.looks), bytes: Buffer.from(bytes) }],
            ),
          )
        },
        watch: (onChange) => {
          this.watches++
          this.#changed = onChange
          return () => undefined
        },
      },
      read: (path, bytes) => {
        if (String(bytes) === this.unreadable) throw new Error('a bug')
        return readPolicies(path, bytes)
      },
      judge: async (policy) => {
        await this.judging
        return judgeStandalone(policy, this.busy ? busy : compilers, 'varmor')
      },
      memory: {
        load: async () => memory && new Map(memory.map((policy) => [titleIn(policy), policy])),
        save: async (policies) => {
          if (!this.full) this.saved = [...policies.values()]
          return !this.full
        },
      },
      onChange: (policies) => void this.confining.push(Array.from(policies, titleIn)),
      clock: this.clock,
      logger: { ...noLogger, error: note('error'), info: note('info') },
    })
    this.folder.subscribe({ name: 'test', handle: (change) => this.#take(change) })
  }

  get inForce(): string[] {
    return (this.saved ?? []).map(titleIn)
  }

  async start(): Promise<void> {
    this.folder.start()
    await this.settle()
  }

  /** Reports a change, and waits until the folder was checked. */
  async change(): Promise<void> {
    this.#changed()
    await this.clock.advance(200)
    await this.settle()
  }

  touch(): void {
    this.#changed()
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await turn()
  }

  #take({ type, object }: Change<ArmorProfile>): void {
    const { name, generation, deletionTimestamp } = object.metadata
    this.changes.push(`${type} ${name} ${generation}${deletionTimestamp === undefined ? '' : ' leaving'}`)
  }
}

const titleIn = ({ document }: HeldPolicy): string => {
  const [owner] = document.metadata.ownerReferences
  return `${owner!.kind} ${document.metadata.namespace}/${owner!.name}`
}

describe('a folder of policies', () => {
  let world: World
  afterEach(() => world.folder.stop())

  it('gives ArmorProfiles that follow its files, and lets those go whose files are gone', async () => {
    world = new World()
    world.files.set('a.yaml', text('a'))
    world.files.set('b.json', text('b', { namespace: 'moby' }))
    await world.start()
    expect(await world.folder.listed()).to.equal(true)
    expect(world.changes.splice(0)).to.deep.equal(['added varmor-default-a 1', 'added varmor-moby-b 2'])

    world.files.set('a.yaml', text('a', { rules: ['disallow-umount'] }))
    await world.change()
    expect(world.changes.splice(0)).to.deep.equal(['updated varmor-default-a 3'])

    world.files.delete('a.yaml')
    await world.change()
    expect(world.changes.splice(0)).to.deep.equal(['updated varmor-default-a 4 leaving'])
    const standing = { key: 'default/varmor-default-a', uid: '', state: 'unloaded', enforcers: [] } as const
    world.folder.set({ ...standing, generation: 3 })
    world.folder.set({ ...standing, generation: 4 })
    await world.settle()
    expect(world.changes).to.deep.equal(['deleted varmor-default-a 4 leaving'])
    expect(world.inForce).to.deep.equal(['VarmorPolicy moby/b'])
  })

  it('has a policy back that comes back before it was let go', async () => {
    world = new World()
    world.files.set('a.yaml', text('a'))
    await world.start()
    world.files.clear()
    await world.change()
    world.files.set('z.yaml', text('a'))
    await world.change()
    world.folder.set({ key: 'default/varmor-default-a', uid: '', generation: 2, state: 'unloaded', enforcers: [] })
    await world.settle()
    expect(world.changes.slice(1)).to.deep.equal(['updated varmor-default-a 2 leaving', 'updated varmor-default-a 3'])
  })

  const mistakes: [title: string, text: string, problem: RegExp][] = [
    ['no YAML', 'a: [', /^\/p\/a\.yaml:1:\d+: document 1: Flow sequence/],
    ['nothing', '', /^\/p\/a\.yaml: does not contain a VarmorPolicy or VarmorClusterPolicy/],
    ['no text', '\0', /^\/p\/a\.yaml: line 1 contains a NUL byte/],
    [
      'a rule that there is not',
      text('a', { rules: ['disallow-mont'] }),
      /hardeningRules\[0\]: "disallow-mont": .*did you mean "disallow-mount"/,
    ],
    [
      'a workload of a cluster',
      text('a', { target: { kind: 'Deployment', name: 'a' } }),
      /^\/p\/a\.yaml:1:\d+: document 1, VarmorPolicy a: spec\.target\.kind: "Deployment": without Kubernetes.*allowed: Pod/,
    ],
    ['a name that is none', text('A b'), /metadata\.name: "A b": must consist of lower case letters/],
    ['a namespace that is none', text('a', { namespace: 'x/y' }), /metadata\.namespace: "x\/y"/],
    [
      'a mode that needs a manager',
      text('a').replace('EnhanceProtect"', 'BehaviorModeling"'),
      /spec\.policy\.mode: "BehaviorModeling": behaviour is recorded only in a cluster/,
    ],
  ]
  for (const [title, mistake, problem] of mistakes)
    it(`keeps what a file said before it said ${title}, and says what is wrong with it`, async () => {
      world = new World()
      world.files.set('a.yaml', text('a'))
      await world.start()
      world.files.set('a.yaml', mistake)
      await world.change()
      expect(world.changes).to.deep.equal(['added varmor-default-a 1'])
      expect(world.folder.problems.join('\n')).to.match(problem)
      expect(world.folder.problems[0]).to.match(/until this is corrected, its previous policies stay in force$/)
      const said = world.logged.length
      await world.clock.advance(30_000)
      expect(world.logged, 'it is said once').to.have.length(said)
      world.files.set('a.yaml', text('a'))
      await world.change()
      expect(world.folder.problems).to.deep.equal([])
    })

  it('has in force after a restart what a file said before its mistake, and lets go what is gone', async () => {
    world = new World([held('/p/a.yaml', 'a'), held('/p/gone.yaml', 'gone')])
    world.files.set('a.yaml', 'no')
    await world.start()
    expect(await world.folder.listed()).to.equal(true)
    const [a, gone] = ['varmor-default-a', 'varmor-default-gone']
    expect(world.changes).to.deep.equal([`added ${a} 1`, `added ${gone} 3 leaving`])
  })

  for (const [title, refused] of [
    ['are looked at', undefined],
    ['cannot be looked at', '/p: too many files'],
  ] as const)
    it(`has in force from its start what was before, while its files ${title}`, async () => {
      world = new World([held('/p/a.yaml', 'a')])
      world.files.set('a.yaml', text('a'))
      world.refused = refused
      let judged = (): void => undefined
      world.judging = new Promise((resolve) => {
        judged = resolve
      })
      await world.start()
      const { changes, confining } = world
      judged()
      expect(changes).to.deep.equal(['added varmor-default-a 1'])
      expect(confining).to.deep.equal([['VarmorPolicy default/a']])
    })

  for (const [title, memory, refused, confining] of [
    ['nothing is in force', undefined, undefined, [[]]],
    ['nothing was in force', [], '/p: too many files', [[]]],
    ['its files cannot be read, and the agent does not know what was in force', undefined, '/p: too many files', []],
  ] as const)
    it(`says ${confining.length === 0 ? 'nothing of containers' : 'once that no container is confined'} when ${title}`, async () => {
      world = new World(memory)
      world.refused = refused
      await world.start()
      await world.clock.advance(20_000)
      await world.settle()
      expect(world.looks).to.be.above(1)
      expect(world.confining).to.deep.equal(confining)
    })

  it('does not say that it knows all policies while a file has an error and no earlier valid version', async () => {
    world = new World()
    world.files.set('a.yaml', 'no')
    world.files.set('b.yaml', text('b'))
    let listed = false
    void world.folder.listed().then((is) => {
      listed = is
    })
    await world.start()
    expect(world.changes).to.deep.equal(['added varmor-default-b 1'])
    expect(listed).to.equal(false)
    world.files.set('a.yaml', text('a'))
    await world.change()
    expect(listed).to.equal(true)
  })

  it('waits until writes have stopped', async () => {
    world = new World()
    world.files.set('a.yaml', text('a'))
    await world.start()
    const looks = world.looks
    for (let writes = 0; writes < 5; writes++) {
      world.touch()
      await world.clock.advance(100)
    }
    expect(world.looks).to.equal(looks)
    world.files.set('a.yaml', text('a', { rules: ['disallow-umount'] }))
    await world.change()
    expect(world.changes).to.deep.equal(['added varmor-default-a 1', 'updated varmor-default-a 2'])
  })

  it('leaves a file alone that is being written', async () => {
    world = new World()
    world.files.set('a.yaml', text('a'))
    await world.start()
    world.files.set('a.yaml', 'half')
    world.writing.add('a.yaml')
    await world.change()
    expect(world.folder.problems).to.deep.equal([])
    world.writing.clear()
    world.files.set('a.yaml', text('a', { rules: ['disallow-umount'] }))
    await world.clock.advance(10_200)
    await world.settle()
    expect(world.changes).to.deep.equal(['added varmor-default-a 1', 'updated varmor-default-a 2'])
  })

  it('keeps in force what a file had that is being written at the first look', async () => {
    world = new World()
    world.files.set('a.yaml', text('a'))
    await world.start()
    const memory = world.saved!
    world = new World(memory)
    world.files.set('a.yaml', text('a'))
    world.writing.add('a.yaml')
    await world.start()
    expect(world.changes).to.deep.equal(['added varmor-default-a 1'])
    expect(world.folder.problems.join()).to.contain('a.yaml: another program is writing this file')
    world.writing.clear()
    await world.clock.advance(10_200)
    await world.settle()
    expect(world.changes).to.deep.equal(['added varmor-default-a 1'])
    expect(world.folder.problems).to.deep.equal([])
  })

  it('judges again what could not be compiled, though its file is as it was', async () => {
    world = new World()
    world.busy = true
    world.files.set('a.yaml', text('a'))
    await world.start()
    expect(world.folder.problems.join()).to.match(/spec\.policy: the compilers have too much to do/)
    world.busy = false
    await world.clock.advance(10_000)
    await world.settle()
    expect(world.folder.problems).to.deep.equal([])
    expect(world.changes).to.deep.equal(['added varmor-default-a 1'])
  })

  for (const [title, bad, problem] of [
    [
      'a merge key without a map',
      'kind: VarmorPolicy\nmetadata:\n  <<:\n',
      /^\/p\/a\.yaml:3:3: .*a merge key needs a map/,
    ],
    ['what makes its reader fail', 'bad', /^cannot check \/p\/a\.yaml: a bug; retrying/],
  ] as const)
    it(`follows its other files while one holds ${title}, and says so`, async () => {
      world = new World()
      world.unreadable = 'bad'
      world.files.set('a.yaml', text('a'))
      world.files.set('b.yaml', text('b'))
      await world.start()
      world.files.set('a.yaml', bad)
      world.files.delete('b.yaml')
      world.files.set('c.yaml', text('c'))
      await world.change()
      expect(world.inForce).to.have.members(['VarmorPolicy default/a', 'VarmorPolicy default/c'])
      expect(world.folder.problems).to.have.length(1)
      expect(world.folder.problems[0])
        .to.match(problem)
        .and.match(/its previous policies stay in force$/)
      const said = world.logged.length
      await world.clock.advance(30_000)
      expect(world.logged, 'it is said once').to.have.length(said)
    })

  it('judges a file again that could not be judged, though it is as it was', async () => {
    world = new World()
    world.unreadable = text('a')
    world.files.set('a.yaml', text('a'))
    await world.start()
    expect(world.folder.problems).to.have.length(1)
    world.unreadable = undefined
    await world.clock.advance(10_000)
    await world.settle()
    expect([world.folder.problems, world.inForce]).to.deep.equal([[], ['VarmorPolicy default/a']])
  })

  it('names a hundred mistakes of a file, and how many more it has', async () => {
    world = new World()
    const wrong = (name: string): object => policyObject(name, { rules: ['disallow-mont'] })
    const policies = Array.from({ length: 120 }, (_, i) => wrong(`a${i}`))
    world.files.set('a.yaml', JSON.stringify({ kind: 'VarmorPolicyList', items: policies }))
    await world.start()
    while (world.folder.problems.length === 0) await world.settle()
    expect(world.folder.problems).to.have.length(101)
    expect(world.folder.problems[100]).to.equal(
      '/p/a.yaml: 20 more mistakes; until this is corrected, none of its policies is in force',
    )
  })

  it('notes what is in force when that can be noted again, though nothing has changed since', async () => {
    world = new World()
    world.files.set('a.yaml', text('a'))
    await world.start()
    world.full = true
    world.files.set('b.yaml', text('b'))
    await world.change()
    await world.clock.advance(10_000)
    await world.settle()
    expect(world.inForce).to.deep.equal(['VarmorPolicy default/a'])
    world.full = false
    await world.clock.advance(10_000)
    await world.settle()
    expect(world.inForce).to.deep.equal(['VarmorPolicy default/a', 'VarmorPolicy default/b'])
  })

  it('goes on after whatever fails, and says so until then', async () => {
    world = new World()
    world.fails = true
    await world.start()
    expect(world.folder.problems).to.deep.equal([
      'cannot read /p: a bug; retrying; the policies in force stay in force',
    ])
    world.fails = false
    world.files.set('a.yaml', text('a'))
    await world.change()
    expect(world.changes).to.deep.equal(['added varmor-default-a 1'])
    expect(world.folder.problems).to.deep.equal([])
  })

  it('keeps all policies when the folder becomes unusable, and watches it again when it is usable', async () => {
    world = new World()
    world.files.set('a.yaml', text('a'))
    await world.start()
    world.refused = '/p: others may write'
    await world.change()
    expect(world.folder.problems).to.deep.equal([
      '/p: others may write; until this is fixed, the policies in force stay in force',
    ])
    world.refused = undefined
    world.files.set('b.yaml', text('b'))
    await world.clock.advance(10_000)
    await world.settle()
    expect(world.folder.problems).to.deep.equal([])
    expect(world.watches).to.equal(2)
    expect(world.changes).to.deep.equal(['added varmor-default-a 1', 'added varmor-default-b 2'])
  })
})
