import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'chai'
import fc from 'fast-check'
import { Behaviour, defaultLimits, fromDynamicResult, type Limits, merge } from '../../../src/model/behaviour.ts'
import { arbitraryFact, type Fact } from './arbitrary-facts.ts'

/**
 * Limits so small that most runs reach them. The number of nodes has no limit, because only nodes are kept in the order
 * of arrival.
 */
const small: Limits = {
  ...defaultLimits,
  directory: 3,
  executions: 2,
  capabilities: 2,
  sockets: 2,
  addresses: 2,
  ports: 2,
  peers: 2,
  mounts: 2,
  words: 2,
  syscalls: 2,
  profiles: 2,
  unhandled: 2,
  patterns: 2,
  nodes: Number.POSITIVE_INFINITY,
  fileBytes: Number.POSITIVE_INFINITY,
  otherBytes: Number.POSITIVE_INFINITY,
}

function behaviourOf(facts: readonly Fact[], limits: Limits = small): Behaviour {
  const behaviour = new Behaviour(limits)
  for (const add of facts) add(behaviour)
  return behaviour
}

const facts = fc.array(arbitraryFact, { maxLength: 40 })
const text = (behaviour: Behaviour) => JSON.stringify(behaviour.toRecorded())

describe('what a workload did', () => {
  it('is the same whatever came first and however often', () => {
    const shuffled = facts.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: 2 * all.length })),
    )
    fc.assert(
      fc.property(shuffled, ([all, other]) => {
        expect(text(behaviourOf(other))).to.equal(text(behaviourOf(all)))
      }),
    )
  })

  it('is the same however its parts are merged', () => {
    fc.assert(
      fc.property(facts, facts, facts, (x, y, z) => {
        const [a, b, c] = [behaviourOf(x), behaviourOf(y), behaviourOf(z)]
        const all = text(behaviourOf([...x, ...y, ...z]))
        expect(text(merge(merge(a, b, small), c, small))).to.equal(all)
        expect(text(merge(a, merge(b, c, small), small))).to.equal(all)
        expect(text(merge(merge(b, a, small), merge(c, a, small), small))).to.equal(all)
      }),
    )
  })

  it('keeps what it was when it is stored and read again', () => {
    fc.assert(
      fc.property(facts, facts, (x, y) => {
        const { result, leftOut } = behaviourOf(x).toRecorded()
        const again = fromDynamicResult(JSON.parse(JSON.stringify(result)), leftOut, defaultLimits)
        const whole = behaviourOf(x, defaultLimits)
        whole.merge(again)
        whole.merge(behaviourOf(y, defaultLimits))
        again.merge(behaviourOf([...x, ...y], defaultLimits))
        expect(text(again)).to.equal(text(whole))
      }),
    )
  })

  it('has lists in order, nothing twice, and no section of an enforcer that saw nothing', () => {
    const behaviour = new Behaviour()
    for (const syscall of ['write', 'read', 'write']) behaviour.addSyscall(syscall)
    behaviour.addFile('appArmor', { path: '/b', permissions: ['rw'], owner: true })
    behaviour.addFile('appArmor', { path: '/b', permissions: ['c', 'r'] })
    behaviour.addFile('appArmor', { path: '/a/', permissions: ['r'], owner: true })
    expect(behaviour.toDynamicResult()).to.deep.equal({
      appArmor: {
        files: [
          { path: '/a/', owner: true, permissions: ['r'] },
          { path: '/b', permissions: ['r', 'w'] },
        ],
      },
      seccomp: { syscalls: ['read', 'write'] },
    })
  })

  it('has all kinds of facts in the fields of the API', () => {
    const behaviour = new Behaviour()
    behaviour.addProfile('varmor-demo-web')
    behaviour.addUnhandled('a record')
    behaviour.addSignal({ peer: 'p', permissions: ['send'], signals: ['term', 'kill'] })
    for (const by of ['appArmor', 'bpf'] as const) {
      behaviour.addExecution(by, '/bin/x')
      behaviour.addCapability(by, 'net_raw')
      behaviour.addSocket(by, { domain: 'inet', type: 'stream' })
      behaviour.addEgress(by, '10.0.0.1', 443)
      behaviour.addEgress(by, '10.0.0.1', 80)
    }
    behaviour.addPtrace('appArmor', { peer: 'p', permissions: ['read'] })
    behaviour.addPtrace('bpf', { permissions: ['trace'], external: true })
    behaviour.addMount({ path: '/mnt', type: 'tmpfs', flags: ['ro'] })
    const network = { sockets: [{ domain: 'inet', type: 'stream' }], egresses: [{ ip: '10.0.0.1', ports: [80, 443] }] }
    const common = { executions: ['/bin/x'], capabilities: ['net_raw'] }
    expect(behaviour.toDynamicResult()).to.deep.equal({
      appArmor: {
        profiles: ['varmor-demo-web'],
        ...common,
        networks: network,
        ptraces: [{ peer: 'p', permissions: ['read'] }],
        signals: [{ peer: 'p', permissions: ['send'], signals: ['kill', 'term'] }],
        unhandled: ['a record'],
      },
      bpf: {
        ...common,
        network,
        ptraces: [{ permissions: ['trace'], external: true }],
        mounts: [{ path: '/mnt', type: 'tmpfs', flags: ['ro'] }],
      },
    })
  })

  const refused: [string, string][] = [
    ['a path that does not begin with a slash', 'run/x'],
    ['a path with a NUL', '/a\0b'],
    ['a path with a double slash', '/a//b'],
    ['a path that goes up', '/a/../b'],
    ['a path that is too long', `/${'x'.repeat(4096)}`],
    ['a path that is too deep', '/x'.repeat(200)],
  ]
  for (const [title, path] of refused) {
    it(`leaves out ${title}, and says so`, () => {
      const behaviour = new Behaviour()
      behaviour.addFile('bpf', { path, permissions: ['read'] })
      const { result, leftOut } = behaviour.toRecorded()
      expect(result).to.deep.equal({})
      expect(leftOut.map(({ kind, count, examples }) => ({ kind, count, examples }))).to.deep.equal([
        { kind: 'texts', count: 1, examples: [path.slice(0, 256)] },
      ])
    })
  }

  it('says which permissions it does not know', () => {
    const behaviour = new Behaviour()
    behaviour.addFile('bpf', { path: '/a', permissions: ['read', '0x800000'] })
    expect(behaviour.toRecorded().leftOut).to.have.length(1).and.to.have.nested.property('[0].examples[0]', '0x800000')
  })
})

describe('a workload that does more than is kept', () => {
  it('has a pattern for a directory with too many names, with one of the names', () => {
    const behaviour = new Behaviour()
    for (let i = 0; i < 1000; i++)
      behaviour.addFile('bpf', { path: `/data/x${i}/f`, permissions: [i === 7 ? 'write' : 'read'] })
    const { result, leftOut } = behaviour.toRecorded()
    expect(result.bpf?.files).to.deep.equal([
      { path: '/data/*/f', permissions: ['read', 'write'], oldPath: '/data/x0/f' },
    ])
    expect(leftOut).to.deep.equal([])
  })

  it('has no pattern where a built-in rule protects a path, and counts the names that are not kept', () => {
    const behaviour = new Behaviour()
    for (let i = 0; i < 1000; i++) behaviour.addFile('appArmor', { path: `/etc/x${i}`, permissions: ['r'] })
    const { result, leftOut } = behaviour.toRecorded()
    expect(result.appArmor?.files).to.have.length(256)
    expect(result.appArmor?.files?.some(({ path }) => path.includes('*'))).to.equal(false)
    expect(leftOut).to.have.length(1)
    expect(leftOut[0]).to.include({ kind: 'files', directory: '/etc' })
    expect(leftOut[0]?.reason).to.match(/disable-access-(passwd|shadow)/)
    expect(leftOut[0]?.count).to.be.within(500, 1000)
  })

  it('makes no pattern of a name with a star in it', () => {
    const behaviour = new Behaviour()
    for (let i = 0; i < 1000; i++) behaviour.addFile('bpf', { path: `/data/x${i}/a*b`, permissions: ['read'] })
    const { result, leftOut } = behaviour.toRecorded()
    expect(result.bpf?.files).to.have.length(256)
    expect(result.bpf?.files?.every(({ oldPath }) => oldPath === undefined)).to.equal(true)
    expect(leftOut).to.have.length(1)
  })

  it('keeps fewer names of each directory where there are too many files in all', () => {
    const behaviour = new Behaviour({ ...defaultLimits, nodes: 1000 })
    for (let i = 0; i < 100_000; i++) {
      behaviour.addFile('bpf', { path: `/data/d${i % 200}/x${i}`, permissions: ['read'] })
    }
    behaviour.addFile('bpf', { path: '/srv/late', permissions: ['write'] })
    const { result, leftOut } = behaviour.toRecorded()
    expect(leftOut).to.deep.equal([])
    expect(result.bpf?.files?.map(({ path }) => path)).to.deep.equal(['/data/*/*', '/srv/late'])
  })

  it('keeps to the bound on all files when that is no help, and counts the others', () => {
    const behaviour = new Behaviour({ ...defaultLimits, nodes: 30 })
    for (let i = 0; i < 4 ** 5; i++) {
      const names = [...i.toString(4).padStart(5, '0')].join('/')
      behaviour.addFile('bpf', { path: `/d/${names}`, permissions: ['read'] })
    }
    const { result, leftOut } = behaviour.toRecorded()
    expect(result.bpf?.files?.length).to.be.within(5, 30)
    expect(leftOut.map(({ kind }) => kind)).to.deep.equal(['files'])
    expect(leftOut[0]?.count).to.be.greaterThan(500)
  })

  it('has no pattern for names in the root directory', () => {
    const behaviour = new Behaviour()
    for (let i = 0; i < 1000; i++) behaviour.addFile('bpf', { path: `/d${i}/f`, permissions: ['read'] })
    const { result, leftOut } = behaviour.toRecorded()
    expect(result.bpf?.files).to.have.length(256)
    expect(leftOut).to.have.length(1).and.to.have.nested.property('[0].directory', '/')
  })

  it('takes the same memory for a million names as for ten thousand', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const used = (names: number) => {
      const behaviour = new Behaviour()
      for (let i = 0; i < names; i++) {
        behaviour.addFile('bpf', { path: `/var/spool/${i % 7}/job-${i}`, permissions: ['write'] })
      }
      collect()
      const { heapUsed } = process.memoryUsage()
      expect(behaviour.toDynamicResult().bpf?.files).to.have.length(7)
      return heapUsed
    }
    used(10_000)
    expect(used(1_000_000) - used(10_000)).to.be.lessThan(1024 * 1024)
  })

  it('estimates how many were left out within a third', () => {
    const behaviour = new Behaviour()
    for (let i = 0; i < 100_000; i++) behaviour.addExecution('bpf', `/tmp/x${i}`)
    const { result, leftOut } = behaviour.toRecorded()
    expect(result.bpf?.executions).to.have.length(1024)
    expect(leftOut[0]).to.include({ kind: 'executions' })
    expect(leftOut[0]?.count).to.be.within(66_000, 133_000)
    expect(leftOut[0]?.examples).to.have.length(3)
  })
})
