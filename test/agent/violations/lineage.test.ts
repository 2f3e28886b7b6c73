import { expect } from 'chai'
import { Lineage, type LineageOptions } from '../../../src/agent/violations/lineage.ts'
import { CurrentForks } from '../../../src/audit/lineage/current-forks.ts'
import type { ForkAddon, ForkAnswer, ForkOptions } from '../../../src/audit/lineage/fork-addon.ts'
import { Forks } from '../../../src/audit/lineage/forks.ts'
import { AuditSourceError } from '../../../src/audit/source/audit-source-error.ts'
import { noLogger } from '../../../src/base/logger.ts'
import { ManualClock } from '../../audit/manual-clock.ts'

/** Replaces the native addon: fork trees that a test breaks. Each tree knows one process. */
class Trees {
  readonly #trees = new Map<number, { error: number; overruns: number; confirmed: number[] }>()
  #last = 0
  refusal: Error | undefined

  readonly addon = {
    findFork: (tree: number, pid: number): ForkAnswer | null => {
      const known = this.#trees.get(tree)
      if (known === undefined || known.error !== 0) return null
      return { containerID: `of tree ${tree}`, since: 1, processes: 1, ask: pid, key: 7, itself: true }
    },
    labelFork: (tree: number, key: number) => {
      this.#trees.get(tree)?.confirmed.push(key)
      return this.#trees.has(tree)
    },
    forkStats: (tree: number) => {
      const known = this.#trees.get(tree)
      return known === undefined ? null : { error: known.error, overruns: known.overruns }
    },
    closeForks: (tree: number) => void this.#trees.delete(tree),
  } as unknown as ForkAddon

  /** The folders that each tree was opened with, and folders that cannot be read. */
  readonly folders: (string | null)[] = []
  readonly unreadable = new Set<string>()

  open = ({ folder = null }: Partial<ForkOptions> = {}): Forks => {
    if (this.refusal !== undefined) throw this.refusal
    if (folder !== null && this.unreadable.has(folder)) throw new AuditSourceError('SYSTEM', 'follow', 'see errno')
    this.folders.push(folder)
    this.#trees.set(++this.#last, { error: 0, overruns: 0, confirmed: [] })
    return new Forks(this.#last, this.addon)
  }

  get opened(): number[] {
    return [...this.#trees.keys()]
  }

  overrun(tree: number, times: number): void {
    this.#trees.get(tree)!.overruns += times
  }

  break(tree: number, errno = 12): void {
    this.#trees.get(tree)!.error = errno
  }
}

describe('forks that are followed for as long as the agent runs', () => {
  function make(options: Partial<LineageOptions> = {}) {
    const [clock, trees, said] = [new ManualClock(), new Trees(), [] as string[]]
    const say = (_: object, message: string) => void said.push(message)
    const logger = { ...noLogger, warn: say, info: say, error: say }
    const lineage = new Lineage({ logger, clock, random: () => 0, open: trees.open, ...options })
    const worker = new CurrentForks(lineage.number, () => trees.addon)
    const found = () => worker.find(5, 1, 2)?.containerID
    return { clock, trees, said, lineage, worker, found }
  }

  it('are followed again after an error, in all threads, with a message in the log', async () => {
    const { clock, trees, said, lineage, found } = make()
    expect(found()).to.equal(undefined)
    await lineage.start()
    expect(found()).to.equal('of tree 1')
    trees.overrun(1, 3)
    trees.break(1)
    expect(found()).to.equal(undefined)
    await clock.advance(5_000)
    expect(found()).to.equal('of tree 2')
    trees.overrun(2, 2)
    expect(lineage.overruns).to.equal(5)
    expect(trees.opened).to.deep.equal([2])
    expect(said).to.have.length(2)
    expect(said[1]).to.match(/again/)
    expect(lineage.restarts).to.equal(1)
    lineage.close()
    expect([found(), trees.opened, clock.waiting]).to.deep.equal([undefined, [], 0])
  })

  it('are tried again for as long as it takes, with a warning for each new reason', async () => {
    const { clock, trees, said, lineage, found } = make()
    await lineage.start()
    trees.refusal = new AuditSourceError('NOT_PERMITTED', 'ask', 'give NET_ADMIN')
    trees.break(1)
    await clock.advance(600_000)
    expect(said).to.have.length(2)
    expect(lineage.status).to.deep.equal({ off: 'NOT_PERMITTED', restarts: 0 })
    trees.refusal = undefined
    await clock.advance(60_000)
    expect(found()).to.equal('of tree 2')
    lineage.close()
  })

  it('are followed by the BPF programs while these are in force, and else by the process connector', async () => {
    let folder: string | undefined = '/a'
    const { clock, trees, said, lineage, found } = make({ programs: () => folder })
    await lineage.start()
    expect(lineage.status).to.include({ source: 'BPF' })
    for (const next of [undefined, '/b', '/c']) {
      folder = next
      await clock.advance(1_000)
    }
    expect(trees.folders).to.deep.equal(['/a', null, '/b', '/c'])
    expect([trees.opened, found()]).to.deep.equal([[4], 'of tree 4'])
    expect([said, lineage.restarts]).to.deep.equal([[], 0])
    lineage.close()
    expect(trees.opened).to.deep.equal([])
  })

  it('are followed by the process connector where the programs cannot be read, which is said once', async () => {
    let folder = '/a'
    const { clock, trees, said, lineage } = make({ programs: () => folder })
    trees.unreadable.add('/a')
    await lineage.start()
    await clock.advance(600_000)
    expect(lineage.status).to.include({ source: 'process connector' })
    expect(trees.folders).to.deep.equal([null])
    expect(said).to.have.length(1)
    folder = '/b'
    await clock.advance(1_000)
    expect(trees.folders).to.deep.equal([null, '/b'])
    lineage.close()
  })

  it('know what the containers have before anybody asks the new tree', async () => {
    const noted: number[] = []
    let go = (): void => undefined
    const onOpen = async (forks: Forks): Promise<void> => {
      noted.push(forks.number)
      if (forks.number === 2) await new Promise<void>((resolve) => (go = resolve))
    }
    const { clock, trees, lineage, found } = make({ onOpen })
    await lineage.start()
    trees.break(1)
    await clock.advance(5_000)
    expect([noted, found()]).to.deep.equal([[1, 2], undefined])
    go()
    await clock.advance(1)
    expect(found()).to.equal('of tree 2')
    lineage.close()
  })

  it('are opened again when the containers could not be noted', async () => {
    let fail = true
    const onOpen = async (): Promise<void> => {
      if (fail) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    }
    const { clock, trees, lineage, found } = make({ onOpen })
    await lineage.start()
    expect([found(), trees.opened]).to.deep.equal([undefined, []])
    fail = false
    await clock.advance(5_000)
    expect(found()).to.equal('of tree 2')
    lineage.close()
  })

  it('never confirm by a new tree what an old one has answered', async () => {
    const { clock, trees, lineage, worker } = make()
    await lineage.start()
    const answer = worker.find(5, 1, 2)!
    trees.break(1)
    await clock.advance(5_000)
    expect(trees.opened).to.deep.equal([2])
    expect(worker.confirm(answer.key, 'c')).to.equal(false)
    lineage.close()
  })

  it('are closed at once while they are opened', async () => {
    let go = (): void => undefined
    const { trees, lineage, clock } = make({ onOpen: () => new Promise<void>((resolve) => (go = resolve)) })
    const started = lineage.start()
    lineage.close()
    go()
    await started
    expect([trees.opened, clock.waiting]).to.deep.equal([[], 0])
  })
})
