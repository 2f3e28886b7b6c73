import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import fc from 'fast-check'
import { appArmorLine, node, noiseLine, pidOf, random, seccompLine } from '../../../bench/audit/made-up.ts'
import { mutate } from '../../../bench/audit/mutate.ts'
import type { BatchResult, SourceBatch } from '../../../src/audit/batch/batch.ts'
import { type KnownAddon, loadKnownAddon, state } from '../../../src/audit/batch/known-addon.ts'
import { processBatch } from '../../../src/audit/batch/process-batch.ts'
import { Scratch, type ScratchOptions } from '../../../src/audit/batch/scratch.ts'
import type { PidResolver } from '../../../src/audit/enrich/pid-resolver.ts'
import { Snapshot, type SnapshotData } from '../../../src/audit/enrich/snapshot.ts'
import { bytesOf, linesOf } from '../harness.ts'

const addon = loadKnownAddon()

/**
 * A worker's scratch, with the number of lines that its native decoder has written, and the number of records whose
 * form it refused.
 */
function counting(options: ScratchOptions = {}) {
  let numbers: Int32Array = new Int32Array()
  let written = 0
  const known: KnownAddon = {
    ...addon!,
    openKnown: (shared, ...rest) => {
      numbers = shared
      return addon!.openKnown(shared, ...rest)
    },
    runKnown: (...run) => {
      addon!.runKnown(...run)
      written += numbers[state.written]!
    },
  }
  return { scratch: new Scratch({ ...options, known }), written: () => written }
}

/** A node with this many containers; each has a process, whose pid is the container's index plus one. */
function crowd(size: number) {
  const ids = Array.from({ length: size }, (_, i) => `${i}`.padStart(64, 'c'))
  const [home] = node(1).containers
  const containers = ids.map((containerID, i) => ({
    ...home!,
    containerID,
    profileName: 'varmor-a',
    initPid: 0,
    mntNsID: i + 1,
  }))
  const data = { ...node(1), containers }
  const resolver: PidResolver = {
    beginBatch: () => undefined,
    resolve: (pid) => ({ containerID: ids[pid - 1]!, mntNsID: pid, since: 0 }),
  }
  return { snapshots: [new Snapshot(data), new Snapshot(data)], resolver, ids }
}

function withFilter({ containers, ...data }: SnapshotData): SnapshotData {
  const [first, ...rest] = containers
  return { ...data, containers: [{ ...first!, refusedCalls: '+,chmod,' }, ...rest] }
}

/** A node whose containers and processes may change between two batches. */
class World {
  // Only the first container's Seccomp filter is known.
  readonly #data = withFilter(node(3))
  /** A shift of the container numbers of all processes. */
  #moved = 0
  #reuses = 0
  #changed: SnapshotData = this.#data
  snapshots = this.#makeSnapshots()
  minute = 1
  /** Tells whether an answer holds for its second, as with the fork tree, or for its batch. */
  bySecond = true
  /** Tells whether the programs of some processes must be read again at once. */
  someAreDue = false

  readonly resolver = (): PidResolver => ({
    beginBatch: () => undefined,
    reuses: () => this.#reuses,
    resolve: (pid, time) => {
      const process = pid - pidOf(0, 0)
      if (process % 50 === 2) return 'process-gone'
      const home = this.#data.containers[(Math.floor(process / 50) + this.#moved) % 3]
      if (home === undefined || process < 0) return 'process-gone'
      const { containerID, mntNsID } = home
      // This process started in the middle of the records.
      const since = process % 50 === 3 ? 1_740_381_264.5 : 0
      // The fork tree is closed by now, so an answer holds only for its own time.
      const fork = { tree: 77, key: pid, until: this.someAreDue && process % 7 === 0 ? 0 : 1e8 }
      return { containerID, mntNsID, since, ...(this.bySecond && { second: Math.floor(time), fork }) }
    },
  })

  /** Gives the pids to other processes. */
  reuse(): void {
    this.#moved++
    this.#reuses++
  }

  learn(change: Partial<SnapshotData>): void {
    this.#changed = { ...this.#changed, ...change, version: this.#changed.version + 1 }
    this.snapshots = this.#makeSnapshots()
  }

  /** Creates new snapshots, one for each worker. */
  #makeSnapshots(): [quick: Snapshot, slow: Snapshot] {
    return [new Snapshot(this.#changed), new Snapshot(this.#changed)]
  }

  forgetContainer(): void {
    this.learn({ containers: this.#data.containers.slice(1) })
  }

  batch(bytes: Uint8Array, more: Partial<SourceBatch>): SourceBatch {
    return { source: 'test', seq: 1, format: 'auditlog', bytes, minute: this.minute, ...more }
  }
}

type Step =
  | { do: 'batch'; seed: number; records: number; calls: number; changed: boolean; final: boolean; netlink: boolean }
  | { do: 'reuse' }
  | { do: 'forget' }
  | { do: 'learn' }
  | { do: 'minute' }
  | { do: 'manner' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('batch' as const),
      seed: fc.nat(1000),
      records: fc.integer({ min: 1, max: 300 }),
      // Number of system call records among ten records, usually none.
      calls: fc.constantFrom(0, 0, 4, 9),
      ...{ changed: fc.boolean(), final: fc.boolean(), netlink: fc.boolean() },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('reuse' as const, 'forget' as const, 'learn' as const, 'minute' as const, 'manner' as const),
    }),
  },
)

/** Records within two seconds; most records are about few processes and files. */
function records({ seed, records: count, calls, changed, netlink }: Extract<Step, { do: 'batch' }>): Uint8Array {
  const next = random(seed)
  const made = {
    containers: 3,
    classes: true,
    pidOf: (container: number, process: number) => pidOf(container, process % 4),
  }
  const lines = Array.from({ length: count }, (_, i) => {
    const serial = 49_900 + (next() < 0.95 ? i : Math.floor(next() * 200))
    const kind = next()
    const line =
      kind > calls / 10 && kind < 0.9
        ? appArmorLine(next, serial, made).replace(/ name="[^"]*"/, ` name="/etc/${Math.floor(next() * 5)}"`)
        : kind < 0.9
          ? seccompLine(next, serial, made)
          : noiseLine(next, serial)
    const odd = changed && next() < 0.2 ? oddLine(line, next) : line
    return netlink ? odd.replace(/^type=AVC msg=/, 'type=1400 ').replace(/^type=SECCOMP msg=/, 'type=1326 ') : odd
  })
  const text = lines.join('')
  return bytesOf(next() < 0.1 ? text.trimEnd() : text)
}

const swaps: readonly (readonly [RegExp, string])[] = [
  [/ name="[^"]*"/, ' name="/a\\b"'],
  [/ name="[^"]*"/, ' name=2F612062'],
  [/ name="[^"]*"/, ''],
  [/ name="([^"]*)"/, ' info="Failed name lookup" error=-13 name="$1"'],
  [/profile="[^"]*"/, 'profile="snap.firefox"'],
  [/profile="([^"]*)"/, 'profile="$1//null-/bin/sh"'],
  [/DENIED/, 'AUDIT'],
  [/DENIED/, 'ALLOWED'],
  [/DENIED/, 'KILLED'],
  [/ pid=\d+/, ' pid=0'],
  [/ pid=(\d+)/, ' pid=0$1'],
  [/ pid=(\d+)/, ' pid=$1 pid=1'],
  [/ pid=(\d+)/, ' pid=00000000000$1'],
  [/ pid=(\d+)/, ' pid=$1 peer_pid=5'],
  [/ pid=(\d+)/, ' pid=$1 task=5 magic_token=7'],
  [/ pid=(\d+)/, ' pid=3000000000'],
  [/ comm="[^"]*"/, ' comm="a pid=10001 b"'],
  [/ comm="[^"]*"/, ' comm=""'],
  [/\.\d+:/, ':'],
  [/\.(\d+):/, '.$1000:'],
  [/:(\d+)\)/, ':0$1)'],
  [/audit\(\d+/, 'audit(99'],
  [/\n/, ' \n'],
  [/\n/, '\u001dARCH=x86_64 SYSCALL=open AUID="unset"\n'],
  [/subj=/, 'subj=='],
  [/ comm=(\S+)(.* arch=\w+)/, '$2 comm=$1'],
  [/subj=\S+/, "subj=varmor-x//null-/tmp/it's"],
  [/subj=\S+/, 'subj=unconfined'],
  [/ fsuid=\d+/, ' fsuid=77'],
  [/ ouid=0/, ` ouid=0 info="${'i'.repeat(9000)}"`],
  [/ name="[^"]*"/, ` name="/${'n'.repeat(9000)}"`],
  [/profile="[^"]*"/, `profile="varmor-${'p'.repeat(70_000)}"`],
  [/ arch=\w+/, ` arch=${'c'.repeat(5000)}`],
  [/ comm=.* ip=\w+/, ' comm= exe= arch= syscall= ip='],
  [/ \(enforce\)/, ' (complain)'],
  [/ ip=0x/, ' ip=0x1 ip=0x'],
  [/code=0x7ffc0000/, 'code=0x50001'],
  [/code=0x7ffc0000/, 'code=0x50000'],
  [/code=0x7ffc0000/, 'code=0x30000'],
  [/^type=AVC/, 'type=USER_AVC'],
  [/^type=AVC/, 'type=USER_ACCT'],
  [/^type=SECCOMP/, 'type=USER_A'],
  [/^type=SECCOMP/, 'type=1107'],
]

function oddLine(line: string, next: () => number): string {
  if (next() < 0.3)
    return `${Buffer.from(mutate(bytesOf(line.trimEnd()), next))
      .toString('latin1')
      .replaceAll('\n', ' ')}\n`
  const [what, by] = swaps[Math.floor(next() * swaps.length)]!
  return line.replace(what, by)
}

const comparable = ({ output, ...rest }: BatchResult) => ({ lines: Buffer.from(output).toString('latin1'), ...rest })

describe(`records of known forms${addon === undefined ? ' (not here: needs the native addon)' : ''}`, () => {
  before(function () {
    if (addon === undefined) this.skip()
  })

  for (const kinds of ['counts', 'lines', undefined] as const)
    for (const everything of [false, true])
      it(`give what the scanner gives, whatever changes between batches (kinds: ${kinds}${everything ? ', of everybody' : ''})`, () => {
        const native = { 0: 0, 9: 0 }
        const written = { 0: 0, 9: 0 }
        fc.assert(
          fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
            const options = { everything, ...(kinds !== undefined && { kinds }) }
            const [world, quick, slow] = [new World(), counting(options), new Scratch(options)]
            world.someAreDue = true
            const [ofQuick, ofSlow] = [world.resolver(), world.resolver()]
            for (const one of steps) {
              if (one.do === 'reuse') world.reuse()
              else if (one.do === 'forget') world.forgetContainer()
              else if (one.do === 'learn') world.learn({})
              else if (one.do === 'minute') world.minute++
              else if (one.do === 'manner') {
                world.bySecond = !world.bySecond
                world.reuse()
              } else {
                const batch = world.batch(records(one), { final: one.final, ...(one.netlink && { format: 'netlink' }) })
                const before = quick.written()
                const result = processBatch(batch, world.snapshots[0], ofQuick, quick.scratch)
                const expected = processBatch(batch, world.snapshots[1], ofSlow, slow)
                expect(comparable(result)).to.deep.equal(comparable(expected))
                if (one.calls === 0 || one.calls === 9) {
                  native[one.calls] += quick.written() - before
                  written[one.calls] += result.written
                }
              }
            }
          }),
          { numRuns: 60 },
        )
        // A minimum share of native lines; otherwise the test would compare the scanner with itself.
        for (const calls of [0, 9] as const) expect(native[calls] / written[calls], `${calls}`).to.be.above(0.2)
      })

  it('say of a process what is found last, whatever was taught of it before in the batch', () => {
    const made = { containers: 3, classes: true, pidOf: () => pidOf(0, 0) }
    const { containers } = node(3)
    // The pid belongs to the second container from 1,740,381,265 on; both containers have the profile of the first
    // one's policy.
    const resolver: PidResolver = {
      beginBatch: () => undefined,
      resolve: (_, time) => {
        const later = time >= 1_740_381_265
        return { containerID: containers[later ? 1 : 0]!.containerID, mntNsID: 5, since: later ? 1_740_381_265 : 0 }
      },
    }
    const data = { ...node(3), containers: containers.map((one) => ({ ...one, profileName: 'varmor-demo-demo-0' })) }
    const line = (serial: number, action: string): string =>
      appArmorLine(random(1), serial, made)
        .replace(/varmor-demo-demo-\d/, 'varmor-demo-demo-0')
        .replace('DENIED', action)
    const [before, after] = [1000, 60_000]
    const denied = (serial: number) => line(serial, 'DENIED')
    const audited = (serial: number) => line(serial, 'AUDIT')
    // The first batch teaches the decoder the forms.
    const batches = [
      [...[denied, denied, denied, audited, audited].map((of) => of(after)), denied(before), audited(before)],
      [denied(after), denied(after), denied(before), audited(before), denied(before), audited(before)],
    ]
    const [ofQuick, ofSlow] = [new Snapshot(data), new Snapshot(data)]
    const [quick, slow] = [counting({ kinds: 'counts' }), new Scratch({ kinds: 'counts' })]
    for (const lines of batches) {
      const batch = new World().batch(bytesOf(lines.join('')), {})
      const result = processBatch(batch, ofQuick, resolver, quick.scratch)
      expect(comparable(result)).to.deep.equal(comparable(processBatch(batch, ofSlow, resolver, slow)))
    }
    expect(quick.written()).to.be.above(4)
  })

  it('are nearly all of a storm', () => {
    const [world, quick, next] = [new World(), counting({ kinds: 'counts' }), random(1)]
    const made = { containers: 3, classes: true, pidOf: (container: number) => pidOf(container, 0) }
    const line = (serial: number): string =>
      next() < 0.5
        ? seccompLine(next, serial, made)
        : appArmorLine(next, serial, made).replace(/ name="[^"]*"/, ` name="/${serial % 9}"`)
    const storm = Array.from({ length: 5000 }, (_, serial) => line(serial)).join('')
    const result = processBatch(world.batch(bytesOf(storm), {}), world.snapshots[0], world.resolver(), quick.scratch)
    expect(result.written).to.equal(5000)
    expect(quick.written()).to.be.above(4100)
    expect(linesOf(result.output)).to.have.length(5000)
  })

  it('are counted together where a container has too many kinds', () => {
    const [world, quick, slow, next] = [
      new World(),
      counting({ kinds: 'lines' }),
      new Scratch({ kinds: 'lines' }),
      random(2),
    ]
    const made = { containers: 2, classes: true }
    const resolver = world.resolver()
    for (let round = 0; round < 4; round++) {
      const line = (serial: number): string =>
        next() < 0.7
          ? appArmorLine(next, serial, made)
          : appArmorLine(next, serial, made).replace(/ name="[^"]*"/, ` name="/${serial % 9}"`)
      const storm = Array.from({ length: 1000 }, (_, serial) => line(serial)).join('')
      const batch = world.batch(bytesOf(storm), { final: true })
      const result = processBatch(batch, world.snapshots[0], resolver, quick.scratch)
      expect(comparable(result)).to.deep.equal(comparable(processBatch(batch, world.snapshots[1], resolver, slow)))
      if (round > 0) expect(result.kinds![0]!.counts.others.reduce((sum, events) => sum + events, 0)).to.be.above(500)
    }
  })

  it('leave each container some kinds, however many others make up, and however long', () => {
    const { snapshots, resolver, ids } = crowd(80)
    const [quick, slow] = [counting({ kinds: 'lines' }), new Scratch({ kinds: 'lines' })]
    const rows = new Map<string, Set<string>>()
    let otherEvents = 0
    for (let container = 0; container < ids.length; container++) {
      const line = (serial: number): string => {
        const name = `/${serial % 300}${'x'.repeat(serial % 3 === 0 ? 1300 : 300)}`
        return `type=AVC msg=audit(1740381264.123:${serial}): apparmor="DENIED" operation="open" class="file" profile="varmor-a" name="${name}" pid=${container + 1} comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0\n`
      }
      const lines = Array.from({ length: 600 }, (_, serial) => line(serial)).join('')
      const batch = new World().batch(bytesOf(lines), { final: true, minute: 1 })
      const result = processBatch(batch, snapshots[0]!, resolver, quick.scratch)
      expect(comparable(result)).to.deep.equal(comparable(processBatch(batch, snapshots[1]!, resolver, slow)))
      const { keys, owners, containers, others } = result.kinds![0]!.counts
      for (const [row, key] of keys.entries()) {
        const id = containers[owners[row]!]!
        rows.set(id, (rows.get(id) ?? new Set()).add(key))
        expect(key.length).to.be.below(1200)
      }
      otherEvents += others[0]!
    }
    expect(ids.map((id) => rows.get(id)?.size ?? 0)).to.deep.equal(ids.map((_, i) => (i < 32 ? 256 : 8)))
    expect(otherEvents).to.be.above(0)
    expect(quick.written()).to.be.above(1_000)
  })

  it('do not grow without bound in profiles, processes and forms that somebody makes up', function () {
    this.timeout(120_000)
    const [world, quick, next] = [new World(), counting({ kinds: 'counts', everything: true }), random(3)]
    const made = { containers: 3, classes: true }
    const resolver = world.resolver()
    const round = (first: number): void => {
      const lines = Array.from({ length: 2000 }, (_, i) =>
        appArmorLine(next, i, made)
          .replace(/profile="[^"]*"/, `profile="${'p'.repeat(3000)}${first + i}"`)
          .replace(/denied_mask="[^"]*"/, `denied_mask="${first + i}"`),
      )
      processBatch(world.batch(bytesOf(lines.join('')), { final: true }), world.snapshots[0], resolver, quick.scratch)
    }
    for (let i = 0; i < 5; i++) round(i * 2000)
    const before = process.memoryUsage().rss
    for (let i = 5; i < 20; i++) round(i * 2000)
    expect(process.memoryUsage().rss - before).to.be.below(250 * 1024 * 1024)
    // The decoder also learns the forms of other records again.
    const written = quick.written()
    const others = Array.from({ length: 500 }, (_, i) => seccompLine(next, i, made)).join('')
    processBatch(world.batch(bytesOf(others), { final: true }), world.snapshots[0], resolver, quick.scratch)
    expect(quick.written() - written).to.be.above(400)
  })

  it('are right beyond the bound of openings, which profiles of many containers fill', () => {
    const { snapshots, resolver, ids } = crowd(6)
    const [quick, slow] = [counting({ kinds: 'counts' }), new Scratch({ kinds: 'counts' })]
    for (let round = 0; round < 3; round++) {
      const line = (serial: number): string =>
        `type=AVC msg=audit(1740381264.123:${serial}): apparmor="DENIED" operation="open" class="file" profile="varmor-${Math.floor(serial / ids.length)}" name="/a" pid=${(serial % ids.length) + 1} comm="cat" requested_mask="r" denied_mask="r" fsuid=0 ouid=0\n`
      const lines = Array.from({ length: ids.length * 1_000 }, (_, serial) => line(serial)).join('')
      const batch = new World().batch(bytesOf(lines), { final: true, minute: 1 })
      const result = processBatch(batch, snapshots[0]!, resolver, quick.scratch)
      expect(comparable(result)).to.deep.equal(comparable(processBatch(batch, snapshots[1]!, resolver, slow)))
    }
  }).timeout(60_000)

  it('stay known whatever calls and users somebody makes up, or values that need care', () => {
    const [world, quick, next] = [new World(), counting({ kinds: 'counts' }), random(4)]
    const made = { containers: 3, classes: true, pidOf: (container: number) => pidOf(container, 0) }
    const resolver = world.resolver()
    const round = (line: (serial: number) => string): number => {
      const before = quick.written()
      const lines = Array.from({ length: 2000 }, (_, i) => line(i)).join('')
      processBatch(world.batch(bytesOf(lines), { final: true }), world.snapshots[0], resolver, quick.scratch)
      return quick.written() - before
    }
    const usual = (serial: number): string => seccompLine(next, serial, made)
    for (let i = 0; i < 8; i++) {
      round((serial) =>
        serial % 8 === 0 ? usual(serial).replace(/syscall=\d+/, `syscall=${1000 + i * 2000 + serial}`) : usual(serial),
      )
      round((serial) => (serial % 8 === 0 ? usual(serial).replace('uid=0', `uid=${i * 2000 + serial}`) : usual(serial)))
      round((serial) => (serial % 8 === 0 ? usual(serial).replace(/ \(enforce\)/, "//it's (complain)") : usual(serial)))
    }
    expect(round(usual)).to.be.above(1900)
  })
})
