import { expect } from 'chai'
import { Attributions } from '../../../src/audit/enrich/attributions.ts'
import { LookupBudget } from '../../../src/audit/enrich/lookup-budget.ts'
import type { Membership, PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
import { ProcPidResolver } from '../../../src/audit/enrich/proc-pid-resolver.ts'
import { type ContainerInfo, Snapshot } from '../../../src/audit/enrich/snapshot.ts'
import type { ForkAnswer } from '../../../src/audit/lineage/fork-addon.ts'
import { LineageResolver } from '../../../src/audit/lineage/lineage-resolver.ts'
import { demo } from '../harness.ts'

const [web, bystander] = demo.containers as [ContainerInfo, ContainerInfo]
const answer = (more: Partial<ForkAnswer> = {}): ForkAnswer => ({
  ...{ containerID: '', since: 100.5, processes: 1, ask: 0, key: 0, itself: false },
  ...more,
})
const home = (containerID: string, mntNsID = 0): Membership => ({ containerID, mntNsID, since: 100 })

describe('the resolver over forks', () => {
  const setup = (known: ForkAnswer | undefined, proc: Membership | undefined, lives = true, looks = 1000) => {
    const confirmed: [number, string][] = []
    const asked: number[] = []
    const askedAgain: number[] = []
    const forks = {
      number: 3,
      reuses: () => 0,
      find: () => known,
      confirm: (key: number, id: string) => {
        confirmed.push([key, id])
        return lives
      },
    }
    const otherwise: PidResolver = { beginBatch: () => undefined, resolve: () => home('otherwise') }
    const snapshot = new Snapshot(demo)
    const time = { now: 0, random: 1, budget: 0 }
    const resolver = new LineageResolver({
      ...{ forks, otherwise },
      now: () => time.now,
      random: () => time.random,
      readProcess: (pid, _known, again = false) => {
        asked.push(pid)
        if (again) askedAgain.push(pid)
        return proc
      },
      budget: new LookupBudget(looks, () => time.budget),
      isKnown: (id) => snapshot.container(id) !== undefined,
    })
    const attribution = () => new Attributions().find(500, 101, snapshot, resolver)
    return { resolver, confirmed, asked, askedAgain, attribution, time, forks }
  }

  it('leaves to the other one what is not certain', () => {
    const { resolver } = setup(undefined, home(web.containerID))
    expect(resolver.resolve(500, 101, '')).to.deep.equal(home('otherwise'))
  })

  it('finds a dead process where its parents were, and for this second only', () => {
    const { resolver, attribution } = setup(answer({ containerID: web.containerID }), undefined)
    const place = { containerID: web.containerID, mntNsID: 0, since: 100.5, second: 101, inherited: true }
    expect(resolver.resolve(500, 101.25, '')).to.deep.equal(place)
    expect(attribution().container?.info).to.equal(web)
    expect(attribution()).to.include({ mntNsID: web.mntNsID, second: 101 })
  })

  it('asks /proc of a living process, and notes what it says', () => {
    const { confirmed, attribution } = setup(answer({ ask: 500, key: 9, itself: true }), home(web.containerID, 5))
    expect(attribution().container?.info).to.equal(web)
    expect(attribution().mntNsID).to.equal(5)
    expect(confirmed[0]).to.deep.equal([9, web.containerID])
  })

  it('says of a process only what /proc says of itself, and not of its parent', () => {
    const process = { ppid: 4, exe: '/bin/sh', startTime: 100 }
    const found = (itself: boolean) =>
      setup(answer({ ask: 500, key: 9, itself }), { ...home(web.containerID), process }).resolver.resolve(500, 101, '')
    expect(found(true)).to.deep.include({ process })
    expect(found(false)).to.not.have.property('process')
  })

  it('asks of a process that is known to be in a container what it is, once in five to ten seconds, and not where it is', () => {
    const known = answer({ containerID: web.containerID, ask: 500, key: 9, itself: true })
    const process = { ppid: 4, exe: '/bin/sh', startTime: 100 }
    const { asked, askedAgain, attribution, resolver, time } = setup(known, {
      ...home(bystander.containerID, 5),
      process,
    })
    for (const now of [0, 5, 9]) {
      time.now = now
      resolver.beginBatch()
      expect(attribution()).to.include({ mntNsID: 5 }).and.to.have.nested.property('container.info', web)
      expect(resolver.resolve(500, 101, '')).to.deep.include({ process })
    }
    expect(asked).to.deep.equal([500])
    time.now = 10
    time.random = 0
    attribution()
    expect(asked).to.deep.equal([500, 500])
    for (const now of [14.9, 15]) {
      time.now = now
      attribution()
    }
    expect(asked).to.deep.equal([500, 500, 500])
    expect(askedAgain, 'nothing that was read before').to.deep.equal(asked)
  })

  it('keeps what a bounded number of processes are, and asks again of the oldest one beyond that', () => {
    const known = answer({ containerID: web.containerID, ask: 500, itself: true })
    const process = { ppid: 4, exe: '/bin/sh', startTime: 100 }
    const { asked, resolver, time } = setup(known, { ...home(web.containerID, 5), process })
    const asksOf = (key: number): boolean => {
      const before = asked.length
      known.key = key
      time.budget += 1_000
      expect(resolver.resolve(500, 101, '')).to.deep.include({ process })
      return asked.length > before
    }
    for (let key = 1; key <= 8_192; key++) asksOf(key)
    expect(asked).to.have.length(8_192)
    expect([asksOf(1), asksOf(8_192)], 'there is room').to.deep.equal([false, false])
    expect(asksOf(8_193)).to.equal(true)
    expect([asksOf(2), asksOf(1)]).to.deep.equal([false, true])
  })

  it('says for one second more what it was, where nothing may be asked when it is due', () => {
    const known = answer({ containerID: web.containerID, ask: 500, key: 9, itself: true })
    const process = { ppid: 4, exe: '/bin/sh', startTime: 100 }
    const { asked, resolver, time } = setup(known, { ...home(web.containerID, 5), process }, true, 1)
    const fork = { tree: 3, key: 9 }
    expect(resolver.resolve(500, 101, '')).to.deep.include({ process, fork: { ...fork, until: 10 } })
    for (const now of [10, 10.9]) {
      time.now = now
      expect(resolver.resolve(500, 101, '')).to.deep.include({ process, fork: { ...fork, until: 11 } })
    }
    time.now = 11
    expect(resolver.resolve(500, 101, '')).to.not.have.any.keys('process', 'fork')
    expect(asked).to.deep.equal([500])
  })

  it('takes nothing for a process that another one with its key was said to be in the last fork tree', () => {
    const known = answer({ containerID: web.containerID, ask: 500, key: 9, itself: true })
    const { asked, attribution, forks } = setup(known, home(web.containerID, 5))
    attribution()
    forks.number++
    attribution()
    expect(asked).to.deep.equal([500, 500])
  })

  it('names a process that is known to be in a container although nothing more may be asked', () => {
    const known = answer({ containerID: web.containerID, ask: 500, key: 9, itself: true })
    const { asked, attribution } = setup(known, home(bystander.containerID, 5), true, 0)
    expect(attribution().container?.info).to.equal(web)
    expect(asked).to.deep.equal([])
  })

  it('asks /proc about a process whose container is unknown', () => {
    const known = answer({ containerID: 'f'.repeat(64), ask: 500, key: 9, itself: true })
    expect(setup(known, home(web.containerID)).attribution().container?.info).to.equal(web)
    expect(setup(known, undefined).attribution().reason).to.equal('container-unknown')
  })

  it('asks once a batch, whatever the answer', () => {
    const { asked, resolver } = setup(answer({ ask: 3, key: 9 }), home('', 1))
    for (const pid of [500, 501, 502]) resolver.resolve(pid, 101, '')
    expect(asked).to.deep.equal([3])
    resolver.beginBatch()
    resolver.resolve(503, 101, '')
    expect(asked).to.deep.equal([3, 3])
  })

  it('asks no more than there is budget for', () => {
    const { resolver } = setup(answer({ ask: 500, key: 9, itself: true }), home(web.containerID), true, 0)
    expect(resolver.resolve(500, 101, '')).to.equal('lookup-limit')
  })

  it('waits for the container that the forks name, whether more may be asked or not', () => {
    const known = answer({ containerID: 'f'.repeat(64), ask: 500, key: 9, itself: true })
    const { attribution } = setup(known, home(web.containerID), true, 0)
    expect(attribution()).to.deep.include({ reason: 'container-unknown', waitsFor: [known.containerID, 'mnt 0'] })
  })

  it('believes nothing that /proc said of a pid whose process has ended meanwhile', () => {
    const known = answer({ ask: 500, key: 9, itself: true })
    const { attribution } = setup(known, home(bystander.containerID), false)
    expect(attribution()).to.include({ container: undefined, reason: 'process-gone' })
  })

  it('finds a dead process where its nearest living ancestor is, by mount namespace, too', () => {
    const snapshot = new Snapshot({ ...demo, containers: [{ ...web, initPid: 0 }] })
    const { resolver } = setup(answer({ ask: 3, key: 9 }), home('', web.mntNsID))
    expect(new Attributions().find(500, 101, snapshot, resolver).container?.info.podName).to.equal(web.podName)
  })

  it('does not say that a dead process was in no container because its ancestor is in none', () => {
    expect(setup(answer({ ask: 3, key: 9 }), home('', 1)).attribution().reason).to.equal('process-gone')
    expect(setup(answer(), undefined).attribution().reason).to.equal('process-gone')
    const itself = setup(answer({ ask: 500, key: 9, itself: true }), home('', 1))
    expect(itself.attribution().reason).to.equal('not-in-container')
  })

  it('goes by the parents of a process whose cgroup cannot be read, and by no mount namespace', () => {
    const hidden = { ...home('', bystander.mntNsID), unplaced: true } as const
    const found = (more: Partial<ForkAnswer>) => setup(answer({ ask: 500, key: 9, ...more }), hidden).attribution()
    expect(found({ itself: true, containerID: web.containerID }).container?.info).to.equal(web)
    expect(found({ itself: true }).reason).to.equal('cgroup-unreadable')
    expect(found({ itself: true, containerID: 'f'.repeat(64) }).reason).to.equal('container-unknown')
    expect(found({ itself: false }).reason, 'it is the ancestor of a dead one').to.equal('process-gone')
  })

  it('names none of two processes of one second, unless both are in one container', () => {
    expect(setup(answer({ processes: 2 }), undefined).attribution().reason).to.equal('pid-reused')
    const both = setup(answer({ processes: 2, containerID: web.containerID }), undefined)
    expect(both.attribution().container?.info).to.equal(web)
  })

  const sequence = (find: (earliest: number, latest: number) => ForkAnswer) => {
    const resolver = new LineageResolver({
      forks: {
        find: (_pid, earliest, latest) => find(earliest, latest),
        confirm: () => true,
        reuses: () => 0,
        number: 3,
      },
      readProcess: () => undefined,
      now: () => 0,
      random: () => 0,
      otherwise: { beginBatch: () => undefined, resolve: () => 'process-gone' },
      budget: new LookupBudget(1000, () => 0),
      isKnown: () => true,
    })
    const attributions = new Attributions()
    const snapshot = new Snapshot(demo)
    return (time: number) =>
      attributions.find(500, Math.floor(time), snapshot, resolver, { exactTime: () => time }).container?.info
  }

  it('says nothing of the rest of a second in which a pid has come to another process since', () => {
    let [processes, reuses] = [1, 0]
    const find = () => answer({ processes, containerID: processes === 1 ? web.containerID : '' })
    const resolver = new LineageResolver({
      forks: { find, confirm: () => true, reuses: () => reuses, number: 3 },
      readProcess: () => undefined,
      now: () => 0,
      random: () => 0,
      otherwise: { beginBatch: () => undefined, resolve: () => 'process-gone' },
      budget: new LookupBudget(1000, () => 0),
      isKnown: () => true,
    })
    const attributions = new Attributions()
    const snapshot = new Snapshot(demo)
    const nextBatch = () => {
      attributions.beginBatch(resolver, false)
      return attributions.find(500, 101, snapshot, resolver).reason
    }
    expect(nextBatch()).to.equal(undefined)
    processes = 2
    expect(nextBatch(), 'nothing is asked while no pid came back').to.equal(undefined)
    reuses = 1
    expect(nextBatch()).to.equal('pid-reused')
    reuses = Number.NaN
    processes = 1
    expect(nextBatch(), 'nor when the number of reuses is unknown').to.equal(undefined)
    processes = 2
    expect(nextBatch()).to.equal('pid-reused')
  })

  it('tells two processes of one second apart by the moment', () => {
    const find = sequence((earliest, latest) => {
      if (latest - earliest > 1.5) return answer({ processes: 2 })
      return answer({ containerID: (earliest < 101.5 ? web : bystander).containerID })
    })
    expect([101.2, 101.7, 101.2, 101].map(find)).to.deep.equal([web, bystander, web, web])
  })

  it('names a process that started after the stamp of its event, which /proc alone cannot', () => {
    const start = 102.4
    const readProcess = () => ({ ...home(web.containerID), since: start })
    const budget = new LookupBudget(1000, () => 0)
    const otherwise = new ProcPidResolver({ readProcess, budget, now: () => 103 })
    const find = (_pid: number, earliest: number, latest: number) =>
      earliest <= start && start <= latest ? answer({ containerID: web.containerID, since: start }) : undefined
    const resolver = new LineageResolver({
      ...{ readProcess, budget, otherwise, now: () => 0, random: () => 0, isKnown: () => true },
      forks: { find, confirm: () => true, reuses: () => 0, number: 3 },
    })
    resolver.beginBatch()
    for (const lag of [0.05, 0.9]) {
      expect(otherwise.resolve(500, start - lag, ''), `${lag} s`).to.equal('pid-reused')
      expect(resolver.resolve(500, start - lag, ''), `${lag} s`).to.include({ containerID: web.containerID })
    }
  })

  it('is asked again for an event of another second', () => {
    const seen: number[] = []
    const find = sequence((earliest) => {
      seen.push(Math.ceil(earliest))
      return answer({ containerID: (seen.length === 1 ? web : bystander).containerID })
    })
    expect([101, 101, 102, 102].map(find)).to.deep.equal([web, web, bystander, bystander])
    expect(seen).to.deep.equal([101, 102])
  })
})
