import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import { Behaviour, defaultLimits, fromDynamicResult } from '../../../src/model/behaviour.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const { fileBytes, otherBytes } = defaultLimits
const max = 2 * fileBytes + otherBytes
const recorders = ['appArmor', 'bpf'] as const

/** A behaviour that would exhaust the agent's memory. `at` receives a different number at each call. */
interface Shape {
  of: string
  times: number
  at(behaviour: Behaviour, i: number): void
}

const read = (behaviour: Behaviour, path: string): void => {
  behaviour.addFile('appArmor', { path, permissions: ['r'] })
  behaviour.addFile('bpf', { path, permissions: ['read'] })
}
const digits = (i: number, length: number, base = 10): string => i.toString(base).padStart(length, '0')
const deep = `/${`${'d'.repeat(250)}/`.repeat(14)}`
const shapes: readonly Shape[] = [
  {
    of: 'files with long names, in directories that have room for all of them',
    times: 190 * 255,
    at: (behaviour, i) => read(behaviour, `/srv/x${Math.trunc(i / 255)}/${digits(i % 255, 3)}${'ab'.repeat(120)}`),
  },
  {
    of: 'files far below',
    times: 48_000,
    at: (behaviour, i) => read(behaviour, `${deep}x${Math.trunc(i / 200)}/${digits(i % 200, 20)}`),
  },
  {
    of: 'a directory for each file',
    times: 40_000,
    at: (behaviour, i) => read(behaviour, `/data/${[...digits(i, 9, 4)].join('/')}`),
  },
  {
    of: 'directories with too many names, each',
    times: 30_000,
    at: (behaviour, i) =>
      read(
        behaviour,
        `${deep.slice(0, 2000)}/${digits(i % 3_000, 7, 4)
          .split('')
          .join('/')}/${i}`,
      ),
  },
  {
    of: 'names that are longer in JSON, and in memory',
    times: 20_000,
    at: (behaviour, i) =>
      read(behaviour, `/srv/${i % 100}/${digits(i, 6)}${'\u0001'.repeat(60)}${'\u4e2d'.repeat(60)}`),
  },
  {
    of: 'programs, mounts and peers with long names',
    times: 3_000,
    at: (behaviour, i) => {
      for (const recorder of recorders) behaviour.addExecution(recorder, `${deep}${i}`)
      behaviour.addMount({ path: `${deep}${i}` })
      behaviour.addSignal({ peer: `${i}${'p'.repeat(4000)}`, permissions: ['send'], signals: ['term'] })
      behaviour.addPtrace('appArmor', { peer: `${i}${'p'.repeat(4000)}`, permissions: ['read'] })
    },
  },
  {
    of: 'connections to many ports of many addresses',
    times: 50_000,
    at: (behaviour, i) => behaviour.addEgress('bpf', `10.0.${(i >>> 8) % 256}.${i % 256}`, i % 60_000),
  },
  {
    of: 'patterns of another model',
    times: 4_000,
    at: (behaviour, i) => {
      for (const recorder of recorders)
        behaviour.addPattern(recorder, `/${i}${deep}x`, { path: `/${i}/*`, permissions: ['r'] })
    },
  },
]

describe('the bytes of what a workload did', function () {
  this.timeout(120_000)
  for (const { of, times, at } of shapes)
    it(`are bounded: ${of}`, () => {
      collect()
      const before = process.memoryUsage().heapUsed
      const behaviour = new Behaviour()
      for (let i = 0; i < times; i++) at(behaviour, i)
      collect()
      const heap = process.memoryUsage().heapUsed - before
      const recorded = behaviour.toRecorded()
      const json = JSON.stringify(recorded)
      expect(behaviour.bytes).to.be.at.most(max)
      expect(heap, 'heap').to.be.lessThan(1.2 * max)
      expect(Buffer.byteLength(json), 'JSON').to.be.lessThan(1.2 * max)
      // A behaviour that is read back from storage is no larger; patterns count there.
      const again = fromDynamicResult(recorded.result, recorded.leftOut)
      expect(again.bytes).to.be.at.most(max)
    })

  it('are free again when what took them goes', () => {
    let taken = 0
    const room = {
      take: (bytes: number) => {
        taken += bytes
        return true
      },
      give: (bytes: number) => {
        taken -= bytes
      },
    }
    const behaviour = new Behaviour({ ...defaultLimits, addresses: 4, peers: 4, mounts: 4, nodes: 200 }, room)
    const sizes: number[] = []
    for (let i = 0; i < 20_000; i++) {
      behaviour.addEgress('bpf', `10.0.${i % 250}.1`, i % 50)
      behaviour.addMount({ path: `/m${digits(i, 5)}`, flags: ['ro'] })
      behaviour.addFile('bpf', { path: `/data/${digits(i % 100, 3)}/${digits(i, 5)}`, permissions: ['read'] })
      if (i % 5_000 === 4_999) sizes.push(taken)
    }
    expect(sizes.at(-1)).to.equal(behaviour.bytes)
    expect(sizes.at(-1))
      .to.be.lessThan(1.2 * sizes[0]!)
      .and.lessThan(256 * 1024)
  })

  it('say what there was no room for', () => {
    const behaviour = new Behaviour({ ...defaultLimits, otherBytes: 1000, fileBytes: 3000 })
    for (let i = 0; i < 100; i++) behaviour.addExecution('bpf', `/bin/${i}`)
    for (let i = 0; i < 4 ** 4; i++)
      behaviour.addFile('bpf', { path: `/d/${[...digits(i, 4, 4)].join('/')}`, permissions: ['read'] })
    behaviour.addFile('bpf', { path: '/d/0', permissions: ['write'] })
    const { result, leftOut } = behaviour.toRecorded()
    expect(result.bpf?.executions).to.have.length.within(5, 20)
    expect(leftOut.map(({ kind }) => kind)).to.deep.equal(['executions', 'files'])
    expect(result.bpf?.files?.find(({ path }) => path === '/d/0')?.permissions, 'what is known goes on').to.deep.equal([
      'write',
    ])
  })
})
