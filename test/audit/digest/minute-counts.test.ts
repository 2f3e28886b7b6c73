import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import type { BatchResult } from '../../../src/audit/batch/batch.ts'
import { maxKinds } from '../../../src/audit/batch/kind-table.ts'
import { MinuteCounts } from '../../../src/audit/digest/minute-counts.ts'

/** One event of each kind of one container, with its line. */
function resultOf(lines: string[], container = 'c'): BatchResult {
  const bytes = lines.map((line) => Buffer.from(`${line}\n`))
  const starts: number[] = []
  let end = 0
  for (const { length } of bytes) {
    starts.push(end)
    end += length
  }
  const counts = {
    containers: [container],
    keys: lines.map((_, row) => `key ${row}`),
    owners: new Uint32Array(lines.length),
    events: new Uint32Array(lines.length).fill(1),
    lines: Uint32Array.from(starts),
    others: [0],
    otherLines: [0],
    lineKinds: undefined,
  }
  return { output: new Uint8Array(Buffer.concat(bytes)), kinds: [{ start: 0, counts }] } as unknown as BatchResult
}

describe('counts of a minute', () => {
  it('name a container whose events are all of kinds that have no room, and only that', () => {
    const line = (containerID: string) => `${JSON.stringify({ containerID, podName: `pod ${containerID}` })}\n`
    const ids = ['a', 'b', '']
    const output = Buffer.from(ids.map(line).join(''))
    const otherLines = ids.map((id) => output.indexOf(line(id)))
    const none = { keys: [], owners: new Uint32Array(), events: new Uint32Array(), lines: new Uint32Array() }
    const part = { ...none, containers: ids, others: [1, 1, 1], otherLines, lineKinds: undefined }
    const counts = new MinuteCounts()
    counts.add({ output, kinds: [{ start: 0, counts: part }] } as unknown as BatchResult, () => undefined)
    const named = [...counts.containers].map(({ container: { containerID, podName } }) => [containerID, podName])
    expect(named).to.deep.equal([
      ['a', 'pod a'],
      ['b', 'pod b'],
      ['', ''],
    ])
  })

  it('read of what the minute before had one line of each container, for its names', () => {
    const before = new MinuteCounts()
    const line = (podName: string, name: string): string =>
      JSON.stringify({ containerID: 'c', podName, enforcer: 'AppArmor', event: { operation: 'open', name } })
    before.add(resultOf([line('web', '/etc'), line('web', '/usr')]), () => undefined)
    const after = new MinuteCounts(before)
    const firsts: number[] = []
    // A container that restarted keeps its id. Reading the second line would throw.
    const [made, seen] = [line('new', '/etc'), 'no line']
    for (let i = 0; i < 2; i++) after.add(resultOf([made, seen]), ({ line }) => void firsts.push(line))
    const [only] = [...after.containers]
    expect(firsts).to.deep.equal([0, made.length + 1])
    expect(only?.container.podName).to.equal('new')
    const events = [...only!.kinds.values()].map(({ object, events }) => [object, events])
    expect(events).to.deep.equal([
      ['/etc', 2],
      ['/usr', 2],
    ])
    expect([...[...before.containers][0]!.kinds.values()].map(({ events }) => events)).to.deep.equal([1, 1])
  })

  it('read the line of a kind once, also of those that are too many', () => {
    const counts = new MinuteCounts()
    const rows = Array.from({ length: maxKinds + 10 }, (_, row) => row)
    const line = (row: number): string =>
      JSON.stringify({ enforcer: 'AppArmor', event: { operation: 'open', name: `/${row}` } })
    counts.add(resultOf(rows.map(line)), () => undefined)
    // Reading these lines would throw.
    counts.add(resultOf(rows.map(() => 'no line')), () => undefined)
    const [only] = [...counts.containers]
    expect(only?.other).to.equal(20)
    expect([...only!.kinds.values()].map(({ events }) => events)).to.deep.equal(Array(maxKinds).fill(2))
  })

  const lineOf = (containerID: string, name: string): string =>
    JSON.stringify({ containerID, enforcer: 'AppArmor', event: { operation: 'open', name } })

  it('keep 8 keys of each container once all containers together have 16,384 keys', () => {
    const counts = new MinuteCounts()
    const ids = Array.from({ length: 100 }, (_, i) => `container ${i}`)
    for (const id of ids) {
      const lines = Array.from({ length: 1_100 }, (_, i) => lineOf(id, `/${i}`))
      counts.add(resultOf(lines, id), () => undefined)
    }
    const all = [...counts.containers]
    expect(all.map(({ container: { containerID } }) => containerID)).to.deep.equal(ids)
    const keys = all.map(({ byKey }) => byKey.size)
    expect(keys).to.deep.equal([...Array(16).fill(4 * maxKinds), ...Array(84).fill(8)])
    for (const { kinds, other } of all)
      expect([...kinds.values()].reduce((sum, { events }) => sum + events, other)).to.equal(1_100)
  })

  it('keep containers beyond 1,024 together', () => {
    const counts = new MinuteCounts()
    for (let i = 0; i < 1_100; i++) {
      const id = `container ${i}`
      counts.add(resultOf([lineOf(id, '/a'), lineOf(id, '/b')], id), () => undefined)
    }
    const all = [...counts.containers]
    expect(all.map(({ key }) => key)).to.deep.equal([...Array.from({ length: 1_024 }, (_, i) => `container ${i}`), ''])
    const { container, kinds } = all.at(-1)!
    expect(container.containerID).to.equal('')
    expect([...kinds.values()].map(({ events }) => events)).to.deep.equal([76, 76])
  })

  it('know kinds of the minute before while these had no more than 16,384 keys', () => {
    const minute = (more: number): MinuteCounts => {
      const counts = new MinuteCounts()
      for (let i = 0; i < 16; i++) {
        const lines = Array.from({ length: 1_024 }, (_, row) => lineOf(`container ${i}`, `/${row}`))
        counts.add(resultOf(lines, `container ${i}`), () => undefined)
      }
      const rest = Array.from({ length: more }, (_, row) => lineOf('one more', `/${row}`))
      counts.add(resultOf(rest, 'one more'), () => undefined)
      return new MinuteCounts(counts)
    }
    // The first line has the container's names. Reading the second line throws.
    const again = resultOf([lineOf('container 3', '/0'), 'no line'], 'container 3')
    expect(() => minute(0).add(again, () => undefined)).not.to.throw()
    expect(() => minute(1).add(again, () => undefined)).to.throw(SyntaxError)
  })
})
