import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'

const policy = (of: object) => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'hostile', namespace: 'demo' },
  spec: { target: { kind: 'Deployment', name: 'web' }, policy: of },
})
const enhance = (enforcer: string, enhanceProtect: object) =>
  policy({ enforcer, mode: 'EnhanceProtect', enhanceProtect })
const custom = (body: string) =>
  policy({
    enforcer: 'AppArmor',
    mode: 'DefenseInDepth',
    defenseInDepth: { appArmor: { profileType: 'Custom', customProfile: `profile x {\n${body}\n}\n` } },
  })
const raw = (rules: string, targets: string[] = ['/bin/sh']) =>
  enhance('AppArmor', { appArmorRawRules: [{ rules }, { rules: 'deny /etc/x w,', targets }] })
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const seccomp = (args: (i: number) => object[], names: string[]) => (n: number) =>
  enhance('Seccomp', {
    syscallRawRules: many(n, (i) => ({
      names,
      action: i % 2 === 0 ? 'SCMP_ACT_LOG' : 'SCMP_ACT_ERRNO',
      args: args(i),
    })),
  })
const masked = (index: number, i: number) => ({
  index,
  op: 'SCMP_CMP_MASKED_EQ',
  value: 255 << (i % 8),
  valueTwo: ((i * 37) % 255) << (i % 8),
})
// biome-ignore format: a table reads better
const calls = ['read', 'write', 'open', 'close', 'stat', 'fstat', 'lstat', 'poll', 'lseek', 'mmap', 'mprotect', 'munmap', 'brk', 'ioctl', 'access', 'pipe']

const bpf = (bpfRawRules: object) => enhance('BPF', { privileged: true, bpfRawRules })
const files = (patterns: string[]) =>
  bpf({ files: patterns.map((pattern) => ({ pattern, permissions: ['write'], qualifiers: ['deny'] })) })
const mounts = (patterns: string[]) =>
  bpf({
    mounts: patterns.map((sourcePattern) => ({ sourcePattern, fstype: '*', flags: ['all'], qualifiers: ['deny'] })),
  })

/** `of` creates a policy of about this many parts. The test compares a policy of `n` parts with a quarter of it. */
interface Hostile {
  what: string
  of: (n: number) => object
  n: number
}

const hostile: Hostile[] = [
  { what: 'alternatives in a row', of: (n) => custom(`/${'{a,b}'.repeat(n)} ix,`), n: 10_000 },
  { what: 'alternatives of nothing', of: (n) => custom(`/${'{,}'.repeat(n)} ix,`), n: 20_000 },
  {
    what: 'alternatives that other rules share',
    of: (n) =>
      custom(
        many(n, (i) => `/x${i}{a,b}{c,d} ix,\n/x${i}{b,e}c px,`)
          .join('\n')
          .replaceAll('px', 'ix'),
      ),
    n: 1_000,
  },
  {
    what: 'alternatives of unlike lengths beside a target',
    of: (n) => raw(`/${'{a,aa}'.repeat(n)} ix,`, [`/${'a'.repeat(45)}b`]),
    n: 2_000,
  },
  {
    what: 'braces within braces, again and again',
    of: (n) => raw(`deny /${'{a,{b,{c,{d,e}}}}/'.repeat(n)} w,`),
    n: 1_000,
  },
  { what: 'directories', of: (n) => raw(`deny ${'/{a,b}'.repeat(n)} w,`), n: 2_000 },
  { what: 'one long class after another', of: (n) => raw(`deny /${'[a-zA-Z0-9]'.repeat(n)} w,`), n: 2_000 },
  { what: 'stars', of: (n) => raw(`deny /${'*a'.repeat(n)} w,`), n: 2_000 },
  { what: 'many rules', of: (n) => raw(many(n, (i) => `deny /a/b/c${i} w,`).join('\n')), n: 2_000 },
  { what: 'many mistakes', of: (n) => raw(many(n, (i) => `deny /a/b/[c${i} w,`).join('\n')), n: 2_000 },
  { what: 'open braces', of: (n) => raw('{'.repeat(n)), n: 20_000 },
  { what: 'open parentheses', of: (n) => raw(`mount options=${'('.repeat(n)} -> /x,`), n: 20_000 },
  {
    what: 'bad targets',
    of: (n) =>
      enhance('AppArmor', {
        appArmorRawRules: many(16, (i) => ({ rules: 'deny /etc/x w,', targets: many(n, (j) => `bad${i}-${j}*`) })),
      }),
    n: 128,
  },
  {
    what: 'bad addresses',
    of: (n) =>
      enhance('BPF', {
        bpfRawRules: {
          network: { egress: { toDestinations: many(n, (i) => ({ qualifiers: ['deny'], ip: `bad${i}` })) } },
        },
      }),
    n: 1_000,
  },
  {
    what: 'bad blocks of addresses',
    of: (n) =>
      enhance('BPF', {
        bpfRawRules: {
          network: {
            egress: { toDestinations: many(n, (i) => ({ qualifiers: ['deny'], cidr: `10.0.0.0/${i + 40}` })) },
          },
        },
      }),
    n: 1_000,
  },
  {
    what: 'bad ports',
    of: (n) =>
      enhance('BPF', {
        bpfRawRules: {
          network: {
            egress: {
              toDestinations: many(n, () => ({
                qualifiers: ['deny'],
                ip: '10.0.0.1',
                ports: many(16, () => ({ port: 9, endPort: 8 })),
              })),
            },
          },
        },
      }),
    n: 500,
  },
  {
    what: 'unknown fields',
    of: (n) => enhance('AppArmor', Object.fromEntries(many(n, (i) => [`field${i}`, i]))),
    n: 1_000,
  },
  {
    what: 'unknown rule names',
    of: (n) => enhance('AppArmor', { hardeningRules: many(n, (i) => `disallow-everything-${i}`) }),
    n: 200,
  },
  { what: 'masks for many calls', of: seccomp((i) => [masked(0, i)], calls), n: 40 },
  { what: 'masks of two arguments', of: seccomp((i) => [masked(0, i), masked(1, i + 3)], calls), n: 40 },
  {
    what: 'comparisons with other numbers',
    of: seccomp((i) => [{ index: 0, op: 'SCMP_CMP_EQ', value: i }], calls),
    n: 200,
  },
  {
    what: 'unknown system calls',
    of: seccomp(
      () => [],
      many(200, (i) => `sys_call_${i}`),
    ),
    n: 10,
  },
]

/**
 * File patterns whose automaton may be exponentially larger than the patterns. The size of the automaton has a bound,
 * so further patterns do not increase the work.
 */
const hostilePatterns: Hostile[] = [
  { what: 'stars in each component', of: (n) => files([`/${'*a/'.repeat(n)}x`]), n: 1_000 },
  { what: 'stars beside each other', of: (n) => files([`/${'*a'.repeat(n)}`]), n: 2_000 },
  { what: 'double stars with stars between them', of: (n) => files([`/${'**/a*b/'.repeat(n)}x`]), n: 500 },
  { what: 'double stars beside each other', of: (n) => files([`/${'**a'.repeat(n)}`]), n: 1_300 },
  { what: 'many suffixes', of: (n) => files(many(n, (i) => `/**/x${i}*y`)), n: 4_000 },
  { what: 'pairs that any path may hold', of: (n) => files(many(n, (i) => `**a${i}**b${i}**`)), n: 2_000 },
  { what: 'parts of names', of: (n) => files(many(n, (i) => `*${i}*z*`)), n: 2_000 },
  { what: 'stars at many depths', of: (n) => files(many(n, (i) => `/${'*/'.repeat(i % 60)}a${i}`)), n: 2_000 },
  { what: 'as many rules as there may be', of: (n) => files(many(n, (i) => `/var/lib/**/${i}/*.so`)), n: 10_000 },
  { what: 'as long rules as there may be', of: (n) => files(many(n, (i) => `/${'a/'.repeat(2_000)}${i}`)), n: 400 },
  { what: 'sources of mounts', of: (n) => mounts(many(n, (i) => `**a${i}**b${i}**`)), n: 1_000 },
]

describe('what a tenant may write', () => {
  let thread: Worker
  before(() => {
    thread = new Worker(new URL('./count-steps.mjs', import.meta.url))
  })
  after(() => thread.terminate())

  /** Number of executed blocks of the compilers' code. Unlike a time, it does not depend on the machine. */
  async function steps(object: object): Promise<number> {
    thread.postMessage(object)
    const [answer] = (await once(thread, 'message')) as [{ steps: number }]
    return answer.steps
  }

  for (const { what, of, n } of hostile)
    it(`costs work near its length: ${what}`, async () => {
      const [quarter, whole] = [await steps(of(Math.ceil(n / 4))), await steps(of(n))]
      // Four times the text takes about four times the work. Less than 100,000 steps take only a millisecond.
      expect(whole, 'steps').to.be.below(Math.max(100_000, quarter * 5))
      expect(whole, 'steps').to.be.below(5_000_000)
    })

  for (const { what, of, n } of hostilePatterns)
    it(`costs no more than the bound of an automaton: ${what}`, async () => {
      // This is about a second of work: some five blocks for each step that `compileBounds` permits.
      expect(await steps(of(n)), 'steps').to.be.below(150_000_000)
    })
})
