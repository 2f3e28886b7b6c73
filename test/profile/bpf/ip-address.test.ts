import { BlockList, isIPv6 } from 'node:net'
import { expect } from 'chai'
import fc from 'fast-check'
import {
  blockOf,
  contains,
  formatBlock,
  type IpBlock,
  parseAddress,
  parseBlock,
  unmapped,
} from '../../../src/profile/bpf/ip-address.ts'

const canonical: [string, string][] = [
  ['10.1.2.3/8', '10.0.0.0/8'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['::/0', '::/0'],
  ['::1/128', '::1/128'],
  ['1::/16', '1::/16'],
  ['FD00:EC2::254/128', 'fd00:ec2::254/128'],
  ['2001:db8:0:0:1:0:0:1/128', '2001:db8::1:0:0:1/128'],
  ['2001:0:0:1:0:0:0:1/128', '2001:0:0:1::1/128'],
  ['1:2:3:4:5:6:0:8/128', '1:2:3:4:5:6:0:8/128'],
  ['1:0:10:0:0:0:0:8/128', '1:0:10::8/128'],
  ['::ffff:10.0.0.1/128', '::ffff:a00:1/128'],
]

describe('an address', () => {
  for (const [given, text] of canonical) {
    it(`${given} is ${text}`, () => expect(formatBlock(parseBlock(given)!)).to.equal(text))
  }

  for (const text of [
    '',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.4/33',
    '::/129',
    '1.2.3.4/08',
    '1.2.3.4/',
    'fe80::1%eth0/64',
    'x/8',
    '/8',
    '1.2.3.4/8/8',
  ]) {
    it(`${JSON.stringify(text)} is no block`, () => expect(parseBlock(text)).to.equal(undefined))
  }
  for (const text of ['fe80::1%eth0', '1.2.3', 'localhost', '0x7f.1', '::1::']) {
    it(`${text} is no address`, () => expect(parseAddress(text)).to.equal(undefined))
  }

  it('is written so that it reads back as itself, and as Node.js reads it', () => {
    const block = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }))
    fc.assert(
      fc.property(block, ([text, length]) => {
        fc.pre(isIPv6(text))
        const parsed = blockOf(parseAddress(text)!, length)
        const written = formatBlock(parsed)
        expect(parseBlock(written)).to.deep.equal(parsed)
        const list = new BlockList()
        list.addSubnet(written.split('/')[0]!, length, 'ipv6')
        expect(list.check(text, 'ipv6')).to.equal(true)
      }),
    )
  })

  it('is in a block as Node.js says', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (a, b, length) => {
        const list = new BlockList()
        list.addSubnet(a, length, 'ipv4')
        expect(contains(parseBlock(`${a}/${length}`)!, parseAddress(b)!)).to.equal(list.check(b, 'ipv4'))
      }),
    )
  })

  it('of IPv4 in an IPv6 spelling is taken for IPv4, unless the block has other addresses, too', () => {
    const text = (block: string) => formatBlock(unmapped(parseBlock(block) as IpBlock))
    expect(['::ffff:10.0.0.0/104', '::ffff:0:0/96', '::ffff:0:0/95', '::/0'].map(text)).to.deep.equal([
      '10.0.0.0/8',
      '0.0.0.0/0',
      '::fffe:0:0/95',
      '::/0',
    ])
  })
})
