import { expect } from 'chai'
import { Attributions } from '../../../src/audit/enrich/attributions.ts'
import type { Membership, PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
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
  const setup = (known: ForkAnswer | undefined, proc: Membership | undefined, lives = true) => {
    const confirmed: [number, string][] = []
    const forks = {
      find: () => known,
      confirm: (key: number, id: string) => {
        confirmed.push([key, id])
        return lives
      },
    }
    const otherwise: PidResolver = { generation: 7, resolve: () => home('otherwise') }
    const resolver = new LineageResolver(forks, () => proc, otherwise)
    const snapshot = new Snapshot(demo)
    const attribution = () => new Attributions().find(500, 101, snapshot, resolver)
    return { resolver, confirmed, attribution }
  }

  it('leaves to the other one what is not certain', () => {
    const { resolver } = setup(undefined, home(web.containerID))
    expect(resolver.resolve(500, 101)).to.deep.equal(home('otherwise'))
    expect(resolver.generation).to.equal(7)
  })

  it('finds a dead process where its parents were, and for this second only', () => {
    const { resolver, attribution } = setup(answer({ containerID: web.containerID }), undefined)
    const place = { containerID: web.containerID, mntNsID: 0, since: 100.5, second: 101, inherited: true }
    expect(resolver.resolve(500, 101)).to.deep.equal(place)
    expect(attribution().container?.info).to.equal(web)
    expect(attribution()).to.include({ mntNsID: web.mntNsID, second: 101 })
  })

  it('asks /proc of a living process, and notes what it says', () => {
    const { confirmed, attribution } = setup(
      answer({ containerID: bystander.containerID, ask: 500, key: 9, itself: true }),
      home(web.containerID, 5),
    )
    expect(attribution().container?.info).to.equal(web)
    expect(attribution().mntNsID).to.equal(5)
    expect(confirmed[0]).to.deep.equal([9, web.containerID])
  })

  it('says of a process only what /proc says of itself, and not of its parent', () => {
    const process = { ppid: 4, exe: '/bin/sh', startTime: 100 }
    const found = (itself: boolean) =>
      setup(answer({ ask: 500, key: 9, itself }), { ...home(web.containerID), process }).resolver.resolve(500, 101)
    expect(found(true)).to.deep.include({ process })
    expect(found(false)).to.not.have.property('process')
  })

  it('believes nothing that /proc said of a pid whose process has ended meanwhile', () => {
    const known = answer({ containerID: web.containerID, ask: 500, key: 9, itself: true })
    const { attribution } = setup(known, home(bystander.containerID), false)
    expect(attribution().container?.info).to.equal(web)
  })

  it('finds a dead process where its nearest living ancestor is, by mount namespace, too', () => {
    const { attribution } = setup(answer({ ask: 3, key: 9 }), home('', web.mntNsID))
    expect(attribution().container?.info).to.equal(web)
  })

  it('does not say that a dead process was in no container because its ancestor is in none', () => {
    expect(setup(answer({ ask: 3, key: 9 }), home('', 1)).attribution().reason).to.equal('process-gone')
    expect(setup(answer(), undefined).attribution().reason).to.equal('process-gone')
    const itself = setup(answer({ ask: 500, key: 9, itself: true }), home('', 1))
    expect(itself.attribution().reason).to.equal('not-in-container')
  })

  it('names none of two processes of one second, unless both are in one container', () => {
    expect(setup(answer({ processes: 2 }), undefined).attribution().reason).to.equal('pid-reused')
    const both = setup(answer({ processes: 2, containerID: web.containerID }), undefined)
    expect(both.attribution().container?.info).to.equal(web)
  })

  it('is asked again for an event of another second', () => {
    const seen: number[] = []
    const forks = {
      find: (_pid: number, earliest: number) => {
        seen.push(Math.ceil(earliest))
        return answer({ containerID: (seen.length === 1 ? web : bystander).containerID })
      },
      confirm: () => true,
    }
    const resolver = new LineageResolver(forks, () => undefined, { generation: 0, resolve: () => 'process-gone' })
    const attributions = new Attributions()
    const snapshot = new Snapshot(demo)
    const found = [101, 101, 102].map((second) => attributions.find(500, second, snapshot, resolver).container?.info)
    expect(found).to.deep.equal([web, web, bystander])
    expect(seen).to.deep.equal([101, 102])
  })
})
