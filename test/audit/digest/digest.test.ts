import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { bpfRecord, random, seccompLine } from '../../../bench/audit/made-up.ts'
import { makeRecord } from '../../../bench/audit/made-up-record.ts'
import type { BatchFormat } from '../../../src/audit/batch/batch.ts'
import { Scratch } from '../../../src/audit/batch/scratch.ts'
import { bounded, withBoundedTexts } from '../../../src/audit/digest/cut-text.ts'
import { bytesOf, demo, demoHead, demoPid, fixtures, knowing, run } from '../harness.ts'
import { ManualClock } from '../manual-clock.ts'
import { denial } from '../pipeline-world.ts'
import { DigestWorld, type Line } from './digest-world.ts'

const containerID = demo.containers[0]!.containerID
const names = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, i) => denial(`/${from + i}`)).join('')
const final = { final: true, minute: 1 }

describe('the digest of violations', () => {
  let clock: ManualClock
  let world: DigestWorld
  let scratch: Scratch

  const add = (text: string | Uint8Array, format: BatchFormat = 'auditlog'): void =>
    world.add(run(format, text, { ...final, minute: world.digest.minute }, scratch))

  beforeEach(() => {
    clock = new ManualClock()
    world = new DigestWorld(clock)
    scratch = new Scratch({ kinds: 'counts' })
  })

  it('keeps the first violation of each kind at once, and how many there were when the minute ends', async () => {
    add(denial('/etc/shadow') + denial('/etc/passwd') + denial('/etc/shadow'))
    add(denial('/etc/shadow'))
    expect(world.digestLog.lines.map(({ event }) => event.name)).to.deep.equal(['/etc/shadow', '/etc/passwd'])
    expect(world.digestLog.text).to.equal(world.log.text.split('\n').slice(0, 2).join('\n').concat('\n'))
    await clock.advance(60_000)
    const [line] = world.counts
    expect(line).to.include({ level: 'info', containerID, podName: 'demo-1-5bccf6777c-c8lzr', profileName: '' })
    const kind = { enforcer: 'AppArmor', action: 'DENIED', profileName: 'varmor-demo-demo-1', operation: 'open' }
    expect(line!.digest).to.include({ events: 4, other: 0 })
    expect(line!.digest.kinds).to.deep.equal([
      { ...kind, object: '/etc/shadow', events: 3 },
      { ...kind, object: '/etc/passwd', events: 1 },
    ])
    add(denial('/etc/shadow'))
    expect(world.firsts).to.have.length(3)
    await clock.advance(120_000)
    expect(world.counts.map(({ digest }) => digest.events)).to.deep.equal([4, 1])
    expect(clock.waiting).to.equal(0)
  })

  it('writes what it has when it ends, and all that was not passed on is in the log', () => {
    add(names(3))
    world.digest.close()
    expect(world.counts.map(({ digest }) => digest.events)).to.deep.equal([3])
    expect(world.violations).to.have.length(3)
    expect(clock.waiting).to.equal(0)
  })

  it('keeps so many kinds of a container, counts the rest, and a flood of one takes nothing of another', async () => {
    for (let i = 0; i < 20; i++) add(names(500, 500 * i))
    add(denial('/of-another', 77).replaceAll('varmor-demo-demo-1', 'varmor-cluster-varmor-all'))
    await clock.advance(60_000)
    const [flood, other] = world.counts
    expect(flood!.digest).to.include({ events: 10_000, other: 10_000 - 256 })
    expect(flood!.digest.kinds).to.have.length(256)
    expect(other!.digest).to.include({ events: 1, other: 0 })
    expect(world.firsts.map(({ event }) => event.name)).to.include('/of-another')
    expect(world.firsts).to.have.length(257)
  })

  it('counts every event of every container and minute once, whatever the records and workers', async () => {
    const next = random(3)
    const seeds = [...fixtures('apparmor'), ...fixtures('seccomp')].filter(({ line }) => !line.includes('type=1107 '))
    const records: (() => [BatchFormat, string | Uint8Array])[] = [
      () => ['auditlog', Array.from({ length: 50 }, () => denial(`/${Math.floor(next() * 20)}`)).join('')],
      () => [
        'auditlog',
        Array.from({ length: 50 }, () => denial(`/${next()}`, next() < 0.5 ? demoPid : 4000)).join(''),
      ],
      () => [
        'netlink',
        Array.from({ length: 20 }, (_, i) => `${seccompLine(next, i, { containers: 1, classes: true })}\n`).join(''),
      ],
      () => [
        'record',
        Buffer.concat(Array.from({ length: 20 }, (_, i) => bpfRecord(next, i, { containers: 1, classes: true }))),
      ],
      () => {
        const { format, line } = seeds[Math.floor(next() * seeds.length)]!
        return [format, `${line.replace(/ pid=\d+/, ` pid=${demoPid}`)}\n`]
      },
      () => ['auditlog', denial('/x').replace('audit(', 'audit(odd')],
    ]
    const workers = [knowing({ kinds: 'counts' }), new Scratch({ kinds: 'counts' })]
    const expected = new Map<string, number>()
    for (let round = 0; round < 300; round++) {
      const [format, bytes] = records[Math.floor(next() * records.length)]!()
      const before = world.happened.length
      world.add(run(format, bytes, { ...final, minute: world.digest.minute }, workers[round % 2]))
      for (const line of world.happened.slice(before)) {
        const key = `${world.digest.minute} ${line['containerID']} ${line['containerID'] === '' ? '' : 'known'}`
        expected.set(key, (expected.get(key) ?? 0) + 1)
      }
      await clock.advance(Math.floor(next() * 2_000))
    }
    world.digest.close()
    const sums = new Map<string, number>()
    for (const { containerID: id, digest } of world.counts) {
      const minute = Date.parse(digest.from) / 60_000
      const key = `${minute} ${id} ${id === '' ? '' : 'known'}`
      sums.set(key, (sums.get(key) ?? 0) + digest.events)
      expect(digest.kinds.reduce((sum, { events }) => sum + events, digest.other)).to.equal(digest.events)
    }
    expect(sums).to.deep.equal(expected)
    expect(world.happened.length).to.be.above(5_000)
  })

  it('has for each kind the number that a naive count has', () => {
    const kind = fc.record({
      name: fc.constantFrom('/a', '/a b', '/é', '/b', '/c'),
      action: fc.constantFrom('DENIED', 'AUDIT'),
      operation: fc.constantFrom('open', 'unlink'),
      profile: fc.constantFrom('varmor-demo-demo-1', 'varmor-x'),
      mask: fc.constantFrom('r', 'w'),
      hex: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(fc.array(kind, { maxLength: 40 }), { maxLength: 6 }), fc.boolean(), (batches, known) => {
        const one = new DigestWorld(new ManualClock())
        const worker = known ? knowing({ kinds: 'counts' }) : new Scratch({ kinds: 'counts' })
        const naive = new Map<string, number>()
        for (const batch of batches) {
          const text = batch
            .map(({ name, action, operation, profile, mask, hex }) => {
              const written = hex || / |é/.test(name) ? Buffer.from(name).toString('hex').toUpperCase() : `"${name}"`
              const key = JSON.stringify([action, profile, operation, name])
              naive.set(key, (naive.get(key) ?? 0) + 1)
              return `type=AVC msg=audit(1740381264.123:42): apparmor="${action}" operation="${operation}" class="file" profile="${profile}" name=${written} pid=${demoPid} comm="cat" requested_mask="${mask}" denied_mask="${mask}" fsuid=0 ouid=0\n`
            })
            .join('')
          one.add(run('auditlog', text, { ...final, minute: one.digest.minute }, worker))
        }
        one.digest.close()
        const counted = new Map<string, number>()
        for (const { digest } of one.counts)
          for (const { action, profileName, operation, object, events } of digest.kinds)
            counted.set(JSON.stringify([action, profileName, operation, object]), events)
        expect(counted).to.deep.equal(naive)
        expect(one.firsts).to.have.length(naive.size)
      }),
      { numRuns: 100 },
    )
  })

  const objects: {
    what: string
    format: BatchFormat
    record: string | Uint8Array
    object: string
    operation: string
  }[] = [
    {
      what: 'a syscall',
      format: 'netlink',
      record: `type=1326 audit(1740381264.123:42): auid=0 uid=0 gid=0 ses=1 subj=varmor-demo-demo-1 pid=${demoPid} comm="x" exe="/x" sig=0 arch=c000003e syscall=165 compat=0 ip=0x7f code=0x7ffc0000\n`,
      ...{ operation: 'syscall', object: 'mount' },
    },
    {
      what: 'a connection, without the port that the system chose',
      format: 'netlink',
      record: `type=1400 audit(1740381264.123:42): apparmor="DENIED" operation="connect" class="net" profile="varmor-demo-demo-1" pid=${demoPid} comm="x" laddr=10.0.0.1 lport=40404 faddr=10.0.0.2 fport=443 family="inet" sock_type="stream" protocol=6 requested="connect" denied="connect"\n`,
      ...{ operation: 'connect', object: 'inet stream tcp 10.0.0.2:443' },
    },
    {
      what: 'what no decoder understands',
      format: 'netlink',
      record: `type=1400 audit(1740381264.123:x): apparmor="DENIED" profile="varmor-demo-demo-1"\n`,
      ...{ operation: 'undecoded', object: '' },
    },
  ]
  for (const { what, format, record, object, operation } of objects)
    it(`names ${what}`, () => {
      add(record, format)
      world.digest.close()
      const found = world.counts.flatMap(({ digest }) => digest.kinds)
      expect(found.map((kind) => ({ operation: kind.operation, object: kind.object }))).to.deep.equal([
        { operation, object },
      ])
    })

  it('keeps of a long name its first 256 bytes and a hash, everywhere, and keeps two of them apart', () => {
    const name = (end: string): string => `/${'a'.repeat(254)}é${'b'.repeat(1_000)}${end}`
    const hex = (text: string): string => Buffer.from(text).toString('hex').toUpperCase()
    for (const end of ['1', '2', '1']) add(denial('/NAME').replace('"/NAME"', hex(name(end))))
    world.digest.close()
    const kept = ['1', '2'].map((end) => {
      const hash = createHash('sha256').update(name(end)).digest('hex')
      // The next character has two bytes, which would be the 256th and the 257th.
      return `/${'a'.repeat(254)}…sha256:${hash.slice(0, 32)}`
    })
    expect(
      world.counts.flatMap(({ digest }) => digest.kinds.map(({ object, events }) => [object, events])),
    ).to.deep.equal([
      [kept[0], 2],
      [kept[1], 1],
    ])
    expect(world.firsts.map(({ event }) => event.name)).to.deep.equal(kept)
    expect(
      world.violations.map(({ event }) => event.name),
      'the log has all of it',
    ).to.deep.equal(['1', '2', '1'].map(name))
    expect(world.digestLog.text).to.contain('"fsuid":0,')
    const [first, second] = [world.firsts[0]!, world.violations[0]!]
    expect({ ...first, event: '' }).to.deep.equal({ ...second, event: '' })
  })

  it('leaves numbers of a line that is cut as they are, and each text that is short', () => {
    const text = (length: number): string => `\\"\\u00e9${'x'.repeat(length)}`
    const line = (more: string): Buffer => Buffer.from(`{"a":18446744073709551615,"b":"${text(9)}",${more}"é":"é"}\n`)
    expect(withBoundedTexts(line(`"c":"${text(246)}",`))).to.deep.equal(line(`"c":"${text(246)}",`))
    const cut = Buffer.from(withBoundedTexts(line(`"c":"${text(300)}",`))).toString()
    expect(cut.slice(0, 50)).to.equal(line('').toString().slice(0, 50))
    expect((JSON.parse(cut) as { c: string }).c).to.equal(bounded(`"é${'x'.repeat(300)}`))
  })

  const mount = (path: string, type: string): Uint8Array =>
    makeRecord({ kind: 'mount', head: demoHead, comm: 'x', path, type })
  const alike: { what: string; format: BatchFormat; records: (string | Uint8Array)[]; objects: string[] }[] = [
    {
      what: 'a device whose name looks like another one in hex',
      format: 'netlink',
      records: ['2F746D2070', '"2F746D2070"'].map(
        (device) =>
          `type=1400 audit(1740381264.123:42): apparmor="DENIED" operation="mount" class="mount" profile="varmor-demo-demo-1" name="/mnt/" pid=${demoPid} comm="x" srcname=${device}\n`,
      ),
      objects: ['/mnt/ /tm p', '/mnt/ 2F746D2070'],
    },
    {
      what: 'a mount whose path ends in what the type of another one begins with',
      format: 'record',
      records: [
        ['/mnt/ab', 'c'],
        ['/mnt/a', 'bc'],
      ].map(([path, type]) => mount(path!, type!)),
      objects: ['/mnt/ab c', '/mnt/a bc'],
    },
  ]
  for (const { what, format, records, objects } of alike)
    it(`keeps apart ${what}`, () => {
      for (const record of records) add(record, format)
      world.digest.close()
      const kinds = world.counts.flatMap(({ digest }) => digest.kinds)
      expect(kinds.map(({ object, events }) => [object, events])).to.deep.equal(objects.map((object) => [object, 1]))
      expect(world.firsts).to.have.length(records.length)
    })

  it('begins the first line of each kind where it begins in the output, of pieces too', () => {
    const mark = (line: Line): string => line['id']
    const [first, second] = [run('auditlog', names(3), final, scratch), run('auditlog', names(3, 2), final, scratch)]
    const output = bytesOf(Buffer.concat([first.output, second.output]).toString('utf8'))
    const [a, b] = [first.kinds![0]!, { start: first.output.length, counts: second.kinds![0]!.counts }]
    world.add({ ...first, output, written: 6, read: 6, kinds: [a, b] })
    expect(world.firsts.map(mark)).to.deep.equal(world.happened.filter((_, i) => i !== 3).map(mark))
  })
})
