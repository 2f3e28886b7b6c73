import { expect } from 'chai'
import { InvalidArgumentError } from 'commander'
import * as read from '../../src/options/readers.ts'

const rows: { reader: (text: string) => unknown; takes: [text: string, value: unknown][]; refuses: string[] }[] = [
  {
    reader: read.readCount,
    takes: [
      ['1', 1],
      ['500', 500],
    ],
    refuses: ['0', '-1', '1.5', '', 'x', '1e3'],
  },
  {
    reader: read.zeroIs(500, read.readRate),
    takes: [
      ['0', 500],
      ['0.0', 500],
      ['0.5', 0.5],
    ],
    refuses: ['-1', '', 'x', '-0'],
  },
  {
    reader: read.readSize,
    takes: [
      ['10M', '10M'],
      ['2g', '2G'],
    ],
    refuses: ['0M', '10', '', '10K', '1.5M', '-1M', '10MB', '10000000M'],
  },
  {
    reader: read.readEventRate,
    takes: [
      ['0.5', 0.5],
      ['1000', 1_000],
    ],
    refuses: ['0', '0.0001', '-1', '', 'x', '1e3', '1/s'],
  },
  {
    reader: read.readRecordsRate,
    takes: [
      ['100', { rate: 100, burst: 100 }],
      ['0.5', { rate: 0.5, burst: 1 }],
      ['100/2000', { rate: 100, burst: 2_000 }],
    ],
    refuses: ['0', '0.0001', '-1', '', 'x', '1e3', '10/0', '10/', '/10', '10/1.5', '1000000'],
  },
  {
    reader: read.readAmount,
    takes: [
      ['0', 0],
      ['20', 20],
    ],
    refuses: ['-1', '1.5', '', 'x'],
  },
  {
    reader: read.readNumber(2, 40),
    takes: [
      ['2', 2],
      ['40', 40],
    ],
    refuses: ['1', '41', '-2', '2.5', '', 'x', '1e1', '0x10'],
  },
  {
    reader: read.readDuration,
    takes: [
      ['90s', 90_000],
      ['1h30m', 5_400_000],
      ['2d', 172_800_000],
      ['0s', 0],
    ],
    refuses: ['90', '', 'h', '-1h', '1.5h', '1h 30m', '1w'],
  },
  {
    reader: (text) => read.readActions(text, ['AUDIT']),
    takes: [
      ['DENIED', ['AUDIT', 'DENIED']],
      ['denied, Allowed', ['AUDIT', 'DENIED', 'ALLOWED']],
    ],
    refuses: ['', 'refused', 'DENIED,', 'AUDIT|ALLOWED'],
  },
  {
    reader: read.readPort,
    takes: [
      ['0', 0],
      ['65535', 65_535],
    ],
    refuses: ['65536', '-1', 'http', '', '8080a'],
  },
  {
    reader: read.readRate,
    takes: [
      ['0.5', 0.5],
      ['150', 150],
    ],
    refuses: ['0', '-1', '', 'Infinity', '1e400'],
  },
  {
    reader: read.readOrigin,
    takes: [
      ['https://10.0.0.1', 'https://10.0.0.1'],
      ['https://varmor:443/', 'https://varmor:443'],
      ['https://[::1]:8080', 'https://[::1]:8080'],
    ],
    refuses: ['http://a', 'varmor:8080', 'https://', 'https://a/b', 'https://a?b', 'https://u@a', ''],
  },
  {
    reader: (text) => read.readOrigins(text, ['https://a']),
    takes: [['https://b', ['https://a', 'https://b']]],
    refuses: ['b'],
  },
  {
    reader: (text) => read.readNames(text, ['a']),
    takes: [
      ['b, c', ['a', 'b', 'c']],
      ['', ['a']],
    ],
    refuses: [],
  },
  {
    reader: (text) => read.readNamespaces(text, ['a']),
    takes: [
      ['b, c-1', ['a', 'b', 'c-1']],
      ['', ['a']],
    ],
    refuses: ['B', 'b,c.d', '-b', 'b-', 'b/c', 'a'.repeat(64)],
  },
  {
    reader: read.readDnsName,
    takes: [
      ['varmor', 'varmor'],
      ['a-1.b', 'a-1.b'],
    ],
    refuses: ['A', '-a', 'a-', 'a b', ''],
  },
  {
    reader: read.readEndpoint,
    takes: [
      ['127.0.0.1:10250', { host: '127.0.0.1', port: 10_250 }],
      ['node-1.local:0', { host: 'node-1.local', port: 0 }],
      ['[::1]:80', { host: '::1', port: 80 }],
    ],
    refuses: ['127.0.0.1', ':80', '::1:80', 'a:65536', 'https://a:1', 'a:b', ''],
  },
  {
    reader: (text) => read.readLabels(text, { a: 'b' }),
    takes: [
      ['role=kernel', { a: 'b', role: 'kernel' }],
      ['x=', { a: 'b', x: '' }],
    ],
    refuses: ['', 'a', '=b', 'a b=c'],
  },
  {
    reader: read.readLabel,
    takes: [
      ['', ''],
      ['a/b=c', 'a/b=c'],
    ],
    refuses: ['a', 'a=', '=b', 'a=b=c', 'a b=c'],
  },
]

describe('options of a role', () => {
  for (const { reader, takes, refuses } of rows) {
    const name = reader.name || 'a list'
    for (const [text, value] of takes)
      it(`${name} takes ${JSON.stringify(text)}`, () => expect(reader(text)).to.deep.equal(value))
    for (const text of refuses)
      it(`${name} refuses ${JSON.stringify(text)}`, () =>
        expect(() => reader(text)).to.throw(InvalidArgumentError, /It must be/))
  }
})
