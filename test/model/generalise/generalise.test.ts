import { expect } from 'chai'
import fc from 'fast-check'
import { development } from '../../../bench/model/corpus/development.ts'
import { heldOut } from '../../../bench/model/corpus/held-out.ts'
import { makers, measureAll, precision, recall } from '../../../bench/model/measure.ts'
import { accessesOf } from '../../../src/model/behaviour.ts'
import { generalise } from '../../../src/model/generalise/generalise.ts'
import { matchesPath } from '../../../src/profile/path-pattern.ts'
import { exclusionsOf, isOfProcesses, protectedPaths } from '../../../src/profile/protected-paths.ts'
import type { FileAccess } from '../../../src/rules/meaning.ts'
import { patternOf } from '../../profile/arbitrary-patterns.ts'

const hash = '4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a'

function patternsOf(paths: readonly string[], permissions = ['read']) {
  return generalise({ bpf: { files: paths.map((path) => ({ path, permissions })) } })
}

const rows: [string, string][] = [
  ['/proc/4711/stat', '/proc/*/stat'],
  ['/proc/7/task/99/comm', '/proc/*/task/*/comm'],
  ['/proc/7/fd/3', '/proc/*/fd/*'],
  ['/dev/pts/0', '/dev/pts/*'],
  ['/sys/devices/system/cpu/cpu0/topology/core_id', '/sys/devices/system/cpu/cpu*/topology/core_id'],
  ['/tmp/tmp.aB3dE9xQzZ', '/tmp/tmp.*'],
  ['/tmp/tmp_k3q9x0b', '/tmp/tmp*'],
  ['/tmp/phpQx3Zk9', '/tmp/php*'],
  ['/tmp/go-build3918273645/b001/exe/main', '/tmp/go-build*/b001/exe/main'],
  ['/var/lib/php/sessions/sess_4k2j3h4k5j6h7k8j9h0k1j2h3g', '/var/lib/php/sessions/sess_*'],
  [`/root/.cache/go-build/4b/${hash}-d`, '/root/.cache/go-build/*/*-d'],
  [`/run/containers/${hash}/config.json`, '/run/containers/*/config.json'],
  ['/var/lib/kubelet/pods/123e4567-e89b-12d3-a456-426614174000/volumes', '/var/lib/kubelet/pods/*/volumes'],
  ['/var/log/pods/demo_web-6b98965dc5-5xfqn/0.log', '/var/log/pods/demo_web-*/0.log'],
  ['/var/log/app/app-2024-05-01.log', '/var/log/app/app-*.log'],
  ['/var/log/app/app-20240501T101112Z.log', '/var/log/app/app-*.log'],
  ['/usr/lib/x86_64-linux-gnu/libz.so.1.2.13', '/usr/lib/x86_64-linux-gnu/libz.so.*'],
  ['/go/pkg/mod/golang.org/x/sys@v0.13.0/unix/a.s', '/go/pkg/mod/golang.org/x/sys@v*/unix/a.s'],
]

const fixed = [
  '/usr/lib/x86_64-linux-gnu/libssl.so.3',
  '/usr/lib/x86_64-linux-gnu/libc.so.6',
  '/usr/lib/python3.11/encodings/__pycache__/utf_8.cpython-311.pyc',
  '/usr/share/zoneinfo/Etc/GMT+1',
  '/var/log/nginx/access.log',
  '/tmp/supervisor.sock',
  '/tmp/.X11-unix',
  '/run/redis/redis-server.pid',
  '/var/lib/postgresql/15/main/global/pg_control',
  '/app/node_modules/lodash/_baseIsEqualDeep.js',
  '/etc/ld.so.cache',
  '/proc/sys/kernel/ngroups_max',
  '/data/a*b-2024-05-01',
]

describe('names that vary', () => {
  for (const [path, pattern] of rows) {
    it(`${path} is ${pattern}`, () => {
      const { result, patterns } = patternsOf([path])
      expect(result.bpf?.files).to.deep.equal([{ path: pattern, permissions: ['read'], oldPath: path }])
      expect(patterns).to.have.length(1).and.to.have.nested.property('[0].examples[0]', path)
    })
  }

  it('are no names that every run has', () => {
    expect(patternsOf(fixed).result.bpf?.files?.map(({ path }) => path)).to.have.members(fixed)
  })

  it('of a series are one pattern, and two or three alone are none', () => {
    expect(patternsOf(['/app/part-1', '/app/part-2', '/app/part-3']).patterns).to.deep.equal([])
    const { patterns } = patternsOf([1, 2, 3, 4].map((i) => `/app/part-${i}-of-4`))
    expect(patterns).to.deep.equal([
      {
        pattern: '/app/part-*-of-4',
        kinds: ['number'],
        count: 4,
        examples: [1, 2, 3, 4].map((i) => `/app/part-${i}-of-4`),
      },
    ])
  })

  it('of a series that a program has drawn are one pattern, though some look like words', () => {
    const drawn = ['bEzr4fRL', 'okocqy10', 'IRMMKMg4', 'mixafoly', 'sSrmD33c', 'aHTZaZFE'].map(
      (each) => `/data/job.${each}`,
    )
    const files = patternsOf(drawn).result.bpf?.files
    expect(files).to.deep.equal([{ path: '/data/job.*', permissions: ['read'], oldPath: '/data/job.IRMMKMg4' }])
  })

  it('of one length that are words, or of other lengths, are no series', () => {
    const words = ['settings', 'database', 'language', 'calendar', 'messages'].map((each) => `/data/app.${each}`)
    const few = ['bEzr4fRL', 'IRMMKMg4', 'aHTZaZFE'].map((each) => `/data/job.${each}`)
    const image = ['bEzr4fRL', 'okocqy10', 'IRMMKMg4', 'sSrmD33c'].map((each) => `/usr/lib/job.${each}`)
    expect(patternsOf([...words, ...few, ...image]).patterns).to.deep.equal([])
  })

  it('are found above the star of a directory that has too many names, too', () => {
    const full = [16_402, 16_414, 16_426, 16_438].map((number) => ({
      ...{ path: `/var/lib/db/base/${number}/*`, oldPath: `/var/lib/db/base/${number}/112` },
      permissions: ['create', 'write'],
    }))
    const few = { path: '/var/lib/db/base/5/PG_VERSION', permissions: ['read'] }
    const { result, patterns } = generalise({ bpf: { files: [...full, few] } })
    expect(result.bpf?.files).to.deep.equal([
      { path: '/var/lib/db/base/*/*', permissions: ['create', 'write'], oldPath: '/var/lib/db/base/16402/112' },
      { ...few, path: '/var/lib/db/base/*/PG_VERSION', oldPath: few.path },
    ])
    expect(patterns.map(({ pattern, count }) => [pattern, count])).to.deep.equal([
      ['/var/lib/db/base/*/*', 4],
      ['/var/lib/db/base/*/PG_VERSION', 1],
    ])
    expect(generalise(result).result).to.deep.equal(result)
  })

  it('are joined in what was done with them, and by whom', () => {
    const files = [
      { path: '/proc/1/stat', permissions: ['r'], owner: true },
      { path: '/proc/2/stat', permissions: ['w'] },
    ]
    expect(generalise({ appArmor: { files } }).result.appArmor?.files).to.deep.equal([
      { path: '/proc/*/stat', permissions: ['r', 'w'], oldPath: '/proc/1/stat' },
    ])
  })

  it('stay as they are where a built-in rule protects what a pattern would cover, and that is said', () => {
    const paths = [`/etc/ssl/${hash}`, '/home/app/.ssh/20240501', '/data/20240501/docker.sock']
    const { result, kept } = patternsOf(paths, ['read', 'write'])
    expect(result.bpf?.files?.map(({ path }) => path)).to.have.members(paths)
    expect(kept.map(({ rule }) => rule)).to.have.members([
      'disable-write-etc',
      'disable-access-ssh-dir',
      'block-access-to-container-runtime',
    ])
  })

  it('are those of processes whatever a rule says of the file, as a number is of no use in another run', () => {
    const read = ['/proc/12/mountinfo', '/proc/7/task/9/mounts', '/proc/7/net/arp']
    const { result, kept } = patternsOf([...read, '/proc/kallsyms'])
    const patterns = ['/proc/*/mountinfo', '/proc/*/net/arp', '/proc/*/task/*/mounts']
    expect(kept).to.deep.equal([])
    expect(result.bpf?.files?.map(({ path }) => path)).to.have.members([...patterns, '/proc/kallsyms'])
    for (const text of patterns) {
      const excluded = exclusionsOf(patternOf(text), new Set(['read']))
      const path = Buffer.from(text.replaceAll('*', '4711'))
      expect(excluded.filter(({ pattern }) => matchesPath(pattern, path))).to.deep.equal([])
    }
  })

  it('of directories, which AppArmor ends with a slash, are of no file beside them that a rule protects', () => {
    const files = ['/proc/12/', `/etc/ssl/${hash}/`].map((path) => ({ path, permissions: ['r', 'w'] }))
    const { result, kept } = generalise({ appArmor: { files } })
    expect(result.appArmor?.files?.map(({ path }) => path)).to.have.members(['/proc/*/', `/etc/ssl/${hash}/`])
    expect(kept.map(({ rule }) => rule)).to.deep.equal(['disable-write-etc'])
  })

  it('stay in executions, as a program of a new name is what is to be refused', () => {
    const executions = [`/tmp/${hash}`]
    expect(generalise({ bpf: { executions } }).result).to.deep.equal({ bpf: { executions } })
  })

  it('give the same patterns in any order, and again', () => {
    const some = fc.shuffledSubarray([...rows.map(([path]) => path), ...fixed])
    fc.assert(
      fc.property(some, (paths) => {
        const { result } = patternsOf(paths)
        expect(patternsOf(paths.toReversed()).result).to.deep.equal(result)
        expect(generalise(result).result).to.deep.equal(result)
      }),
    )
  })

  it('match all paths that they stand for', () => {
    const paths = rows.map(([path]) => path)
    for (const { pattern, examples } of patternsOf(paths).patterns) {
      for (const path of examples) expect(matchesPath(patternOf(pattern), Buffer.from(path)), path).to.equal(true)
    }
  })

  for (const [title, services] of Object.entries({
    'the generaliser was made with': development,
    'were held out': heldOut,
  })) {
    it(`of the services that ${title} are mostly found, and few others with them`, () => {
      const score = measureAll(services, makers['this generaliser']!)
      expect(precision(score)).to.be.greaterThan(0.9)
      expect(recall(score)).to.be.greaterThan(0.85)
    })
  }
})

describe('patterns and the built-in rules', () => {
  const names = [...new Set(protectedPaths.flatMap(({ pattern }) => pattern.text.split('/')))]
  const literal = names.filter((name) => name !== '' && !name.includes('*'))
  const varying = [
    '4711',
    hash,
    'tmp.aB3dE9xQzZ',
    '2024-05-01',
    '1.2.3',
    '123e4567-e89b-12d3-a456-426614174000',
    'x-20240501',
  ]
  const name = fc.oneof(
    fc.constantFrom(...literal),
    fc.constantFrom(...varying),
    fc.constantFrom('a', 'tmp', 'proc', 'dev'),
  )
  const starts = protectedPaths.map(({ pattern }) =>
    pattern.text
      .split('/')
      .filter((each) => !each.includes('*'))
      .join('/'),
  )
  const path = fc
    .tuple(fc.oneof(fc.constant(''), fc.constantFrom(...starts)), fc.array(name, { minLength: 1, maxLength: 4 }))
    .map(([start, more]) => `${start}/${more.join('/')}`.replace(/\/{2,}/g, '/'))
  const permissions = fc.subarray(['read', 'write', 'append', 'create', 'chmod', 'exec'], { minLength: 1 })

  it('never meet: what a pattern covers and a rule protects is excluded from it', () => {
    const files = fc.array(fc.tuple(path, permissions), { minLength: 1, maxLength: 4 })
    const strangers = fc.array(fc.constantFrom(...literal), { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(files, strangers, (seen, others) => {
        const made = generalise({ bpf: { files: seen.map(([each, words]) => ({ path: each, permissions: words })) } })
        for (const file of made.result.bpf?.files ?? []) {
          if (file.oldPath !== undefined) expectApart(file.path, accessesOf(file.permissions), others)
        }
      }),
      { numRuns: 200 },
    )
  })
})

/** Fails if the pattern allows one of these accesses to a path that a rule protects. */
function expectApart(text: string, access: ReadonlySet<FileAccess>, names: readonly string[]): void {
  const exclusions = exclusionsOf(patternOf(text), access)
  for (const covered of coveredBy(text, names)) {
    const bytes = Buffer.from(covered)
    for (const rule of protectedPaths) {
      const shared = [...access].filter((one) => rule.deny.has(one))
      if (shared.length === 0 || !matchesPath(rule.pattern, bytes)) continue
      if (isOfProcesses(text) && rule.pattern.text.startsWith('/proc/**/')) continue
      const isExcluded = exclusions.some(
        ({ pattern, deny }) => shared.every((each) => deny.has(each)) && matchesPath(pattern, bytes),
      )
      expect(isExcluded, `${text} covers ${covered}, which ${rule.rule} protects`).to.equal(true)
    }
  }
}

/** Paths that a pattern matches, with names from rules in place of its stars. */
function* coveredBy(pattern: string, names: readonly string[]): Generator<string> {
  const segments = pattern.split('/')
  for (const each of names) {
    yield pattern.replaceAll('*', each)
    for (const [i, segment] of segments.entries()) {
      if (segment === '*') yield segments.with(i, each).join('/').replaceAll('*', 'x')
    }
  }
}
