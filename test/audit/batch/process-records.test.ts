import { Buffer } from 'node:buffer'
import { expect } from 'chai'
import { makeRecord, type RecordText } from '../../../bench/audit/made-up-record.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { demo, demoHead, demoLine, demoPid, hashOf, linesOf, run } from '../harness.ts'

const context = { comm: 'bash', exe: '/usr/bin/bash' }
const own = { comm: 'bash', exe: '/usr/bin/bash', tid: demoPid + 1, ppid: 4, uid: 1000, gid: 1001 }
const record = (text: Omit<RecordText, 'head'>, more: Record<string, number> = {}): Uint8Array =>
  makeRecord({ ...context, ...text, head: { ...demoHead, ...more } })

const markOf = (bytes: Uint8Array) => ({
  timestamp: '2025-02-24T03:04:42.121000000Z',
  id: `${demo.bootID}-bpf-366282.121000000-${hashOf(bytes)}`,
})

const address = (...bytes: number[]): Uint8Array => Uint8Array.from([...bytes, ...new Array(16 - bytes.length).fill(0)])
const noSocket = { domain: '', type: '', protocol: '' }

describe('a batch of BPF records', () => {
  const rows: { what: string; text: Omit<RecordText, 'head'>; event: object }[] = [
    {
      what: 'a capability',
      text: { kind: 'capability', body: { capability: 21 } },
      event: { operation: 'Capability', capability: 'sys_admin' },
    },
    {
      what: 'a capability of a newer kernel',
      text: { kind: 'capability', body: { capability: 63 } },
      event: { operation: 'Capability', capability: 'unknown' },
    },
    {
      what: 'a file',
      text: { kind: 'file', body: { permissions: 0x4 }, path: '/run/secrets/token' },
      event: { operation: 'File', permissions: ['read'], path: '/run/secrets/token' },
    },
    {
      what: 'several permissions, one without a name',
      text: { kind: 'file', body: { permissions: 0x8000_008a }, path: '/a' },
      event: { operation: 'File', permissions: ['write', 'append', 'rename', '0x80000000'], path: '/a' },
    },
    {
      what: 'a program',
      text: { kind: 'exec', body: { permissions: 1 }, path: '/bin/busybox' },
      event: { operation: 'Bprm', permissions: ['exec'], path: '/bin/busybox' },
    },
    {
      what: 'a socket',
      text: { kind: 'socket', body: { domain: 17, type: 3, protocol: 255 } },
      event: {
        operation: 'Network',
        type: 'socket',
        socket: { domain: 'AF_PACKET', type: 'SOCK_RAW', protocol: 'IPPROTO_RAW' },
        address: { ip: '', port: 0 },
      },
    },
    {
      what: 'a connection by IPv4',
      text: { kind: 'address', body: { call: 1, port: 443, family: 2, address: address(10, 0, 0, 7) } },
      event: { operation: 'Network', type: 'connect', socket: noSocket, address: { ip: '10.0.0.7', port: 443 } },
    },
    {
      what: 'a connection by IPv6',
      text: {
        kind: 'address',
        body: { call: 1, port: 53, family: 10, address: address(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 1) },
      },
      event: { operation: 'Network', type: 'connect', socket: noSocket, address: { ip: 'fd00::1:0:0:0', port: 53 } },
    },
    {
      what: 'a mapped address, printed as upstream does',
      text: {
        kind: 'address',
        body: {
          call: 4,
          port: 53,
          family: 10,
          address: address(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1),
        },
      },
      event: { operation: 'Network', type: 'sendmsg', socket: noSocket, address: { ip: '127.0.0.1', port: 53 } },
    },
    {
      what: 'ptrace',
      text: { kind: 'ptrace', body: { permission: 2, external: 1 } },
      event: { operation: 'Ptrace', permission: 'trace', external: true },
    },
    {
      what: 'a mount',
      text: { kind: 'mount', body: { flags: 0x1000 | 0x4000 | 0x1 }, path: '/host', type: 'none' },
      event: { operation: 'Mount', path: '/host', type: 'none', flags: ['ro', 'rbind'] },
    },
    {
      what: 'an unmount',
      text: { kind: 'mount', body: { flags: 0x200 }, path: '/proc' },
      event: { operation: 'Mount', path: '/proc', type: '', flags: ['umount'] },
    },
    { what: 'a user namespace', text: { kind: 'userns' }, event: { operation: 'Userns' } },
    {
      what: 'a BPF program',
      text: { kind: 'bpf', body: { command: 5 } },
      event: { operation: 'Bpf', command: 'prog_load' },
    },
  ]
  for (const { what, text, event } of rows)
    it(`gives the whole line, byte by byte: ${what}`, () => {
      expect(linesOf(run('record', record(text)).output)).to.deep.equal([
        demoLine('BPF', 'DENIED', 1740366282, JSON.stringify(event), markOf(record(text)), own),
      ])
    })

  it('reads records one behind the other, wherever they end', () => {
    const parts = ['/', '/a', '/ab', '/abc'].map((path) => record({ kind: 'file', body: { permissions: 2 }, path }))
    const { output, read, written } = run('record', new Uint8Array(Buffer.concat(parts)))
    expect({ read, written }).to.deep.equal({ read: 4, written: 4 })
    const paths = linesOf(output).map((line) => (JSON.parse(line) as { event: { path: string } }).event.path)
    expect(paths).to.deep.equal(['/', '/a', '/ab', '/abc'])
  })

  it('distinguishes audited, allowed and refused events', () => {
    const lines = (['AUDIT', 'ALLOWED'] as const).map((action) => {
      const text = linesOf(run('record', record({ kind: 'userns', action })).output)[0]!
      return JSON.parse(text) as Record<string, unknown>
    })
    expect(lines.map(({ level, action }) => [level, action])).to.deep.equal([
      ['debug', 'AUDIT'],
      ['debug', 'ALLOWED'],
    ])
  })

  it('counts mounts of equal texts apart by where the path ends up to 8 KiB, and writes longer texts, too', () => {
    const kindsOf = (length: number): number => {
      const texts = [1, 2].map((more) => ({ path: `/${'x'.repeat(length - 6 + more)}`, type: 'x'.repeat(5 - more) }))
      const mounts = texts.map((text) => record({ kind: 'mount', ...text }))
      const { output, kinds } = run('record', Buffer.concat(mounts), {}, new Scratch({ kinds: 'counts' }))
      const events = linesOf(output).map((line) => (JSON.parse(line) as { event: object }).event)
      for (const [i, text] of texts.entries()) expect(events[i]).to.include(text)
      expect(kinds![0]!.counts.events.reduce((sum, one) => sum + one, 0)).to.equal(2)
      return kinds![0]!.counts.events.length
    }
    expect([8_190, 8_191, 8_192, 8_193, 16_384, 60_000].map(kindsOf)).to.deep.equal([2, 2, 1, 1, 1, 1])
  })

  it('says what the program could not', () => {
    const [line] = linesOf(run('record', record({ kind: 'file', path: '/x' }, { flags: 7 })).output)
    expect(JSON.parse(line!)).to.include({ pathCut: true, exeCut: true, pathUnknown: true })
  })

  it('keeps bytes that are no UTF-8 beside the path, and escapes control characters', () => {
    const [line] = linesOf(run('record', record({ kind: 'file', path: Uint8Array.of(0x2f, 0x0a, 0xff) })).output)
    expect(JSON.parse(line!)).to.deep.include({ raw: { path: '2F0AFF' } })
    expect(line).to.include('"path":"/\\n\\ufffd"')
  })

  it('finds the container by mount namespace, then by process; and names the profile by its id', () => {
    const placed = (more: Record<string, number>) =>
      JSON.parse(linesOf(run('record', record({ kind: 'userns' }, more), { final: true }).output)[0]!) as object
    expect(placed({ cgroup: 1 })).to.include({ containerName: 'c1', mntNsID: 4026532725 })
    expect(placed({ cgroup: 1, mnt_ns: 5 })).to.include({ containerName: 'c1', mntNsID: 5 })
    expect(placed({ cgroup: 1, mnt_ns: 5, tgid: 9 })).to.include({
      containerName: '',
      unresolved: 'process-gone',
      policyName: 'demo-1',
    })
  })

  it('waits for late information with the whole record', () => {
    const unknown = record({ kind: 'userns' }, { cgroup: 1, mnt_ns: 5, tgid: 9 })
    const { deferred, written } = run('record', unknown)
    expect({ written, records: deferred[0]!.records }).to.deep.equal({ written: 0, records: 1 })
    expect(deferred[0]!.bytes).to.deep.equal(unknown)
    expect(deferred[0]!.waits).to.deep.equal([[9, 'cgroup 1', 'mnt 5']])
  })
})

describe('a BPF record that cannot be right', () => {
  const good = record({ kind: 'file', path: '/x' })
  const rows: { what: string; bytes: Uint8Array; undecodable: number; written: number }[] = [
    { what: 'of another version', bytes: record({ kind: 'file' }, { version: 2 }), undecodable: 1, written: 0 },
    { what: 'of an unknown kind', bytes: record({ kind: 'file' }, { kind: 99 }), undecodable: 1, written: 0 },
    { what: 'of an unknown action', bytes: record({ kind: 'file' }, { action: 3 }), undecodable: 1, written: 0 },
    {
      what: 'whose texts do not fill it',
      bytes: record({ kind: 'file', path: '/x' }, { path_size: 1 }),
      undecodable: 1,
      written: 0,
    },
    { what: 'cut by the end of the batch', bytes: good.slice(0, -1), undecodable: 1, written: 0 },
    { what: 'shorter than a header', bytes: Uint8Array.of(1, 2, 3), undecodable: 1, written: 0 },
    {
      what: 'of length 0, before a good one, whose beginning is lost with it',
      bytes: new Uint8Array(Buffer.concat([new Uint8Array(4), good])),
      undecodable: 1,
      written: 0,
    },
    {
      what: 'of another version, before a good one',
      bytes: new Uint8Array(Buffer.concat([record({ kind: 'file' }, { version: 2 }), good])),
      undecodable: 1,
      written: 1,
    },
  ]
  for (const { what, bytes, undecodable, written } of rows)
    it(`is written as its bytes: ${what}`, () => {
      const result = run('record', bytes)
      expect(result).to.include({ undecodable, written, read: undecodable + written })
      const line = JSON.parse(linesOf(result.output)[0]!) as Record<string, unknown>
      expect(line['undecoded']).to.match(/^([0-9A-F]{2})+$/)
    })
})
