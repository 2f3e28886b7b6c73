import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises'
import { type Clock, systemClock } from '../../../src/base/clock.ts'
import { EgressDirectory } from '../../../src/manager/egress/egress-directory.ts'
import { addressOf, choices, MadeUpCluster, type Scale } from './made-up.ts'

export interface Measured {
  /** Bytes of the heap. */
  before: number
  after: number
  peak: number
  gone: number
  /** Milliseconds. */
  firstTurn: number
  firstWork: number
  changeTurn: number
  changeWork: number
  seconds: number
  known: number
  leftOut: number
}

const MAX_SECONDS = 120
const CHANGES = 20

/**
 * CPU time in milliseconds. Unlike elapsed time, it does not include the time in which a turn waits for a processor.
 */
const cpuTime = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/**
 * Measures consecutive turns of the event loop, and keeps the turn with the most CPU time. The CPU time includes the
 * threads of the garbage collector.
 */
class TurnWatch {
  max = 0
  peak = 0
  #last = cpuTime()
  #ended = false

  constructor() {
    const poll = (): void => {
      const now = cpuTime()
      this.max = Math.max(this.max, now - this.#last)
      this.peak = Math.max(this.peak, process.memoryUsage().heapUsed)
      // Read the clock again, because the measurement itself takes time.
      this.#last = cpuTime()
      if (!this.#ended) setImmediate(poll)
    }
    setImmediate(poll)
  }

  /** @returns the longest turn so far */
  take(): number {
    const { max } = this
    this.max = 0
    this.#last = cpuTime()
    return max
  }

  end(): void {
    this.#ended = true
  }
}

function heap(): number {
  for (let i = 0; i < 3; i++) globalThis.gc!()
  return process.memoryUsage().heapUsed
}

const [choice, text] = process.argv.slice(2) as [keyof typeof choices, string]
const scale = JSON.parse(text) as Scale
const cluster = new MadeUpCluster(scale)
/** The longest uninterrupted work of the directory, in milliseconds. */
let maxWork = 0
const clock: Clock = {
  ...systemClock,
  after: (delay, callback) =>
    systemClock.after(delay, () => {
      const start = cpuTime()
      callback()
      maxWork = Math.max(maxWork, cpuTime() - start)
    }),
}
const directory = new EgressDirectory({ reflect: cluster.sources, clock, changed: () => undefined })
const keys = Array.from({ length: scale.policies }, (_, i) => `tenant-${i % scale.namespaces}/policy-${i}`)
// The manager's store of ArmorProfiles also holds these, so they do not count as the directory's memory.
const wanted = keys.map((_, i) =>
  Array.from({ length: scale.targets }, (_, one) => choices[choice](i * scale.targets + one, scale)),
)
const before = heap()
const watch = new TurnWatch()
const start = performance.now()
for (const [i, key] of keys.entries()) {
  directory.want(key, wanted[i], { namespace: key.slice(0, key.indexOf('/')), version: '1' })
  if (i % 10 === 0) await turn(undefined)
}
const isKnown = (key: string): boolean => directory.addressesOf(key) !== undefined
const seconds = (): number => (performance.now() - start) / 1_000
while (!isKnown(keys.at(-1)!) && seconds() < MAX_SECONDS) await wait(100)
const knownAfter = seconds()
await wait(1_000)
const firstTurn = watch.take()
const firstWork = maxWork
maxWork = 0
for (let i = 0; i < CHANGES; i++) {
  cluster.put('services', cluster.service(i, addressOf(120, i)))
  await wait(100)
}
await wait(2_000)
const changeTurn = watch.take()
const changeWork = maxWork
watch.end()
const after = heap()
let [known, leftOut] = [0, 0]
for (const key of keys) {
  const found = directory.addressesOf(key)
  if (found !== undefined) known++
  for (const one of found ?? []) if ('leftOut' in one) leftOut++
}
for (const key of keys) directory.want(key, [], { namespace: key.slice(0, key.indexOf('/')), version: '2' })
await wait(3_000)
const gone = heap()
await directory.stop()
const { peak } = watch
const turns = { firstTurn, firstWork, changeTurn, changeWork }
const measured: Measured = { before, after, peak, gone, ...turns, seconds: knownAfter, known, leftOut }
console.log(JSON.stringify(measured))
