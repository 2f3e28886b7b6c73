import { expect } from 'chai'
import fc from 'fast-check'
import {
  blocksOfAddress,
  blocksOfEntity,
  compileEgress,
  type EgressRule,
  type EgressTable,
  lookupEgress,
} from '../../../src/profile/bpf/egress.ts'
import { contains, parseAddress, parseBlock } from '../../../src/profile/bpf/ip-address.ts'
import { AUDIT, DENY, egressProtocols, portSetOf } from '../../../src/profile/bpf/port-set.ts'

function tableOf(rules: readonly EgressRule[]): EgressTable {
  const compiled = compileEgress(rules)
  if (!compiled.ok) throw new Error(compiled.bound)
  return compiled.table
}

const to = (address: string, ports: EgressRule['ports'] = [], flags = DENY): EgressRule => ({
  blocks: blocksOfAddress(address)!,
  ports,
  flags,
})

// Few addresses and ports, so that blocks contain other blocks, and ranges overlap.
const v4 = fc
  .tuple(fc.constantFrom(10, 127, 0), fc.constantFrom(0, 1), fc.constantFrom(0, 255), fc.nat(3))
  .map((a) => a.join('.'))
const v6 = fc.tuple(fc.constantFrom('fd00', '64:ff9b', '0'), fc.nat(3)).map(([head, last]) => `${head}::${last}`)
const block = fc.oneof(
  fc.tuple(v4, fc.constantFrom(0, 8, 16, 31, 32)).map(([a, length]) => `${a}/${length}`),
  fc.tuple(v6, fc.constantFrom(0, 16, 96, 127, 128)).map(([a, length]) => `${a}/${length}`),
)
const ports = fc.array(
  fc.record(
    {
      port: fc.integer({ min: 1, max: 6 }),
      endPort: fc.integer({ min: 6, max: 9 }),
      protocol: fc.constantFrom(...egressProtocols),
    },
    { requiredKeys: ['port'] },
  ),
  { maxLength: 3 },
)
const rule: fc.Arbitrary<EgressRule> = fc.record({
  blocks: fc.array(block, { minLength: 1, maxLength: 3 }),
  ports,
  flags: fc.constantFrom(DENY, AUDIT, DENY | AUDIT),
})
const question = fc.tuple(
  fc.oneof(
    v4,
    v6,
    v4.map((a) => `::ffff:${a}`),
  ),
  fc.integer({ min: 0, max: 10 }),
  fc.constantFrom(...egressProtocols),
)

/** The expected verdict: checks one rule after another. */
function scan(rules: readonly EgressRule[], address: string, port: number, protocol: string): number {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  const embedded = /^64:ff9b::(\d)$/.exec(plain)
  const addresses = embedded ? [plain, `0.0.0.${embedded[1]}`] : [...new Set([address, plain])]
  return rules
    .filter((one) => addresses.some((a) => one.blocks.some((text) => contains(parseBlock(text)!, parseAddress(a)!))))
    .filter(
      (one) =>
        one.ports.length === 0 ||
        one.ports.some(
          (p) => p.port! <= port && port <= (p.endPort ?? p.port!) && (p.protocol ?? protocol) === protocol,
        ),
    )
    .reduce((flags, one) => flags | one.flags, 0)
}

describe('egress rules', () => {
  it('give an address and port the flags of all rules, not of the longest prefix only', () => {
    const table = tableOf([
      to('10.0.0.0/8', [{ port: 80 }], AUDIT),
      to('10.1.0.0/16', [], DENY),
      to('0.0.0.0/0', [{ port: 25 }]),
    ])
    const flags = (['10.1.2.3:80', '10.1.2.3:81', '10.2.2.3:80', '10.2.2.3:25', '8.8.8.8:80'] as const).map((text) => {
      const [address, port] = text.split(':')
      return lookupEgress(table, address!, Number(port), 'tcp')
    })
    expect(flags).to.deep.equal([DENY | AUDIT, DENY, AUDIT, DENY, 0])
  })

  it('agree with asking every rule in turn', () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 6 }),
        fc.array(question, { minLength: 8, maxLength: 8 }),
        (rules, questions) => {
          const table = tableOf(rules)
          for (const [address, port, protocol] of questions) {
            expect(lookupEgress(table, address, port, protocol), `${address} ${port} ${protocol}`).to.equal(
              scan(rules, address, port, protocol),
            )
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('give the same table in any order', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), (rules) => {
        expect(tableOf([...rules].reverse())).to.deep.equal(tableOf(rules))
      }),
    )
  })

  const same: [string, string][] = [
    ['::ffff:169.254.169.254', 'the same address in an IPv6 socket'],
    ['64:ff9b::169.254.169.254', 'the same address behind NAT64'],
  ]
  for (const [address, what] of same) {
    it(`against 169.254.169.254 mean ${what}`, () => {
      const table = tableOf([to('169.254.169.254')])
      expect(lookupEgress(table, address, 80, 'tcp')).to.equal(DENY)
      expect(lookupEgress(table, '::ffff:169.254.169.253', 80, 'tcp')).to.equal(0)
    })
  }

  it('against an IPv4 block in an IPv6 spelling mean IPv4', () => {
    expect(tableOf([to('::ffff:10.0.0.0/104')]).v4).to.deep.equal([['10.0.0.0/8', 0]])
  })

  it('against all of IPv6, or a block around it, mean IPv4 in IPv6 sockets, and no IPv4 sockets', () => {
    for (const block of ['::/0', '::/64', '::ffff:0:0/90']) {
      expect(lookupEgress(tableOf([to(block)]), '::ffff:1.2.3.4', 80, 'tcp'), block).to.equal(DENY)
      expect(lookupEgress(tableOf([to(block)]), '1.2.3.4', 80, 'tcp'), block).to.equal(0)
    }
  })

  it('against 127.0.0.1 mean 0.0.0.0 and ::, which the kernel connects to it', () => {
    const table = tableOf([to('127.0.0.1')])
    const reached = ['127.0.0.1', '0.0.0.0', '::', '::ffff:127.0.0.1', '::1', '127.0.0.2']
    expect(reached.map((a) => lookupEgress(table, a, 1, 'tcp'))).to.deep.equal([1, 1, 1, 1, 0, 0])
  })

  it('against localhost mean every address of this host', () => {
    const table = tableOf([{ blocks: blocksOfEntity('localhost'), ports: [], flags: DENY }])
    const all = ['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '::ffff:127.0.0.2']
    expect(all.map((a) => lookupEgress(table, a, 1, 'udp'))).to.deep.equal(all.map(() => DENY))
    expect(lookupEgress(table, '128.0.0.1', 1, 'udp')).to.equal(0)
  })

  it('about a protocol leave the others alone', () => {
    const table = tableOf([to('10.0.0.0/8', [{ port: 53, protocol: 'udp' }])])
    expect(egressProtocols.map((protocol) => lookupEgress(table, '10.0.0.1', 53, protocol))).to.deep.equal([0, DENY, 0])
  })

  it('join neighbouring ranges and leave no flagless ones', () => {
    expect(
      portSetOf(
        [{ port: 1 }, { port: 2, endPort: 9, protocol: 'tcp' }, { port: 5, endPort: 10, protocol: 'tcp' }],
        DENY,
      ),
    ).to.deep.equal([
      [1, 10, DENY],
      [65537, 65537, DENY],
      [131073, 131073, DENY],
    ])
    expect(portSetOf([], AUDIT)).to.deep.equal([[0, 196607, AUDIT]])
  })

  it('leave out prefixes that say no more than the one around them', () => {
    expect(tableOf([to('10.0.0.0/8'), to('10.1.0.0/16'), to('10.1.2.3', [{ port: 7 }])]).v4).to.deep.equal([
      ['10.0.0.0/8', 0],
    ])
  })

  it('that need too many port ranges are refused, and the one at fault costs most', () => {
    const scattered = Array.from({ length: 256 }, (_, i) => ({ port: 2 * i + 1 }))
    const small = Array.from({ length: 1000 }, (_, i) => to(`10.0.${i >> 8}.${i & 255}`, [{ port: 1000 + i }]))
    const compiled = compileEgress([...small, to('10.0.0.0/8', scattered)])
    expect(compiled.ok).to.equal(false)
    if (!compiled.ok) expect(compiled.costs.indexOf(Math.max(...compiled.costs))).to.equal(1000)
  })
})
