import fc from 'fast-check'
import {
  type Automaton,
  type BpfProfile,
  type MountOperationName,
  type MountRule,
  type MountRules,
  mountOperations,
  type PatternSets,
  type SocketRule,
} from '../../../src/profile/bpf/bpf-profile.ts'
import type { EgressTable } from '../../../src/profile/bpf/egress.ts'
import { bitsOf, blockOf, formatBlock } from '../../../src/profile/bpf/ip-address.ts'

// Profiles with arbitrary numbers, also profiles that no policy compiles to.

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const mask64 = fc.tuple(u32, u32)
const verdict = { deny: fc.boolean(), audit: fc.boolean() }
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })

/** Empty lists: only readers of the profile use these fields, not the kernel. */
const nothing = fc.constant(null).map(() => [])

/** Drops undefined fields, because a profile omits fields without a value. */
function whole<T extends object>(all: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as T
}

const automaton: fc.Arbitrary<Automaton> = fc
  .record({ states: u32, classes: u32, start: u32, cells: u32, bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }) })
  .map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes.length, table: Buffer.from(bytes).toString('base64') }))

const mountRule: fc.Arbitrary<MountRule> = fc
  .record({
    operations: fc.subarray(Object.keys(mountOperations) as MountOperationName[]),
    set: u32,
    clear: u32,
    fstype: maybe(fc.stringMatching(/^[a-z0-9.]{1,15}$/)),
    ...verdict,
  })
  .map((rule) => whole<MountRule>(rule))

const patternSets = (rules: number): fc.Arbitrary<PatternSets> => {
  const set = fc.uniqueArray(fc.nat(rules - 1), { maxLength: 6 })
  return fc
    .record({ always: set, sets: fc.array(set, { minLength: 1, maxLength: 4 }), automaton: maybe(automaton) })
    .map((sets) => whole<PatternSets>(sets))
}

const mounts: fc.Arbitrary<MountRules> = fc.array(mountRule, { minLength: 1, maxLength: 70 }).chain((rules) =>
  fc.record({
    rules: fc.constant(rules),
    sources: patternSets(rules.length),
    targets: patternSets(rules.length),
  }),
)

const prefixes = (family: 4 | 6, sets: number): fc.Arbitrary<[string, number][]> => {
  const bits = bitsOf[family]
  const block = fc
    .tuple(fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n }), fc.nat(bits))
    .map(([value, length]) => formatBlock(blockOf({ family, value }, length)))
  return fc.uniqueArray(fc.tuple(block, fc.nat(sets - 1)), { maxLength: 8, selector: ([text]) => text })
}

const table: fc.Arbitrary<EgressTable> = fc
  .array(fc.array(fc.tuple(u32, u32, fc.nat(3)), { maxLength: 4 }), { minLength: 1, maxLength: 4 })
  .chain((portSets) =>
    fc.record({
      v4: prefixes(4, portSets.length),
      v6: prefixes(6, portSets.length),
      portSets: fc.constant(portSets),
      own: maybe(fc.nat(portSets.length - 1)),
    }),
  )
  .map((one) => whole<EgressTable>(one))

const socketRule: fc.Arbitrary<SocketRule> = fc.record({
  domainMask: mask64,
  typeMask: u32,
  protocolMask: mask64,
  ...verdict,
})

export const anyProfile: fc.Arbitrary<BpfProfile> = fc
  .record({
    mode: fc.constantFrom('enforce' as const, 'complain' as const),
    files: fc
      .record({ rules: nothing, any: u32, automaton: maybe(automaton) })
      .map((files) => whole<BpfProfile['files']>(files)),
    mounts: maybe(mounts),
    capabilities: maybe(fc.record({ deny: nothing, audit: nothing, denyMask: mask64, auditMask: mask64 })),
    sockets: fc.array(socketRule, { maxLength: 10 }),
    egress: maybe(fc.record({ destinations: nothing, references: nothing, table })),
    ptrace: maybe(fc.record({ rules: nothing, denyAll: u32, denyOutside: u32, auditAll: u32, auditOutside: u32 })),
    userns: maybe(fc.record(verdict)),
    bpf: fc.uniqueArray(
      fc.record({ command: fc.constantFrom('prog_load' as const, 'map_create' as const), ...verdict }),
      { selector: ({ command }) => command },
    ),
    blockDevices: u32,
  })
  .map((profile) => whole<BpfProfile>(profile))

export const anyPlace = fc.record({
  slot: fc.integer({ min: 1, max: 1023 }),
  id: u32,
})
