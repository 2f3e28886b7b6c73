import { expect } from 'chai'
import { RecordFields } from '../../../src/audit/decode/record-fields.ts'
import { scanFields } from '../../../src/audit/decode/scan-fields.ts'
import { seccompSchema, seccompSlotOf as slotOf } from '../../../src/audit/decode/seccomp-fields.ts'
import { SeccompTemplates } from '../../../src/audit/decode/seccomp-templates.ts'
import { bytesOf } from '../harness.ts'

const usual =
  'auid=4294967295 uid=0 gid=0 ses=4294967295 subj=varmor-demo-demo-1 (enforce) pid=3811300 comm="unshare" exe="/usr/bin/unshare" sig=0 arch=c000003e syscall=272 compat=0 ip=0x7f3a2617de1b code=0x7ffc0000'
/** Templates leave the end of a batch to the scanner. */
const rest = `\n${'type=1300 audit(1.2:3): arch=c000003e syscall=272 success=yes\n'.repeat(12)}`

/** Reads records with one set of templates: of each that was known, the values that were found; 'scanned' of the others. */
function reader(): (record: string) => Record<string, string> | 'scanned' {
  const templates = new SeccompTemplates<string>()
  const fields = new RecordFields(seccompSchema.size)
  return (record) => {
    const text = record + rest
    const bytes = bytesOf(text)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const end = bytes.indexOf(0x0a)
    if (templates.match(bytes, view, 0) === undefined) {
      scanFields(seccompSchema, bytes, 0, end, fields)
      templates.learn(bytes, view, 0, end, fields, () => record)
      return 'scanned'
    }
    expect(templates.end).to.equal(end)
    const { subjStart, subjEnd, pid, commStart, commEnd, exeStart, exeEnd, ipStart, ipEnd } = templates
    return {
      subj: text.slice(subjStart, subjEnd),
      pid: String(pid),
      comm: text.slice(commStart, commEnd),
      exe: text.slice(exeStart, exeEnd),
      ip: text.slice(ipStart, ipEnd),
    }
  }
}

describe('templates of seccomp records', () => {
  it('know a record by another one of its call, whatever subject, process, command, file and address it has', () => {
    const read = reader()
    expect(read(usual)).to.equal('scanned')
    const other = usual
      .replace('varmor-demo-demo-1 (enforce)', ':n://varmor-a//&varmor-b c (mixed)')
      .replace('3811300', '7')
      .replace('"unshare"', '""')
      .replace('/usr/bin/unshare', '/sh')
      .replace('0x7f3a2617de1b', '0x0')
    const found = { subj: ':n://varmor-a//&varmor-b c (mixed)', pid: '7', comm: '', exe: '/sh', ip: '0x0' }
    expect(read(other)).to.deep.equal(found)
  })

  const enriched = `${usual}\u001dARCH=x86_64 SYSCALL=unshare AUID="unset" UID="root" GID="root"`
  const kinds = [
    ...['272', '268', '9999', '-1'].map((call) => usual.replace('=272', `=${call}`)),
    ...['0x80000000', '0x0', '0x50001'].map((code) => usual.replace('0x7ffc0000', code)),
    usual.replace('c000003e', 'c00000b7'),
    usual.replace('sig=0', 'sig=31'),
    usual.replace('auid=4294967295 uid=0 gid=0 ses=4294967295', 'auid=1000 uid=1000 gid=1000 ses=3'),
  ]
  it('keep each call, signal, architecture, code, user and reading of auditd apart', () => {
    const read = reader()
    for (const record of kinds) expect(read(record), record).to.equal('scanned')
    for (const record of kinds) expect(read(record), record).to.not.equal('scanned')
    expect(read(enriched)).to.equal('scanned')
    expect(read(enriched)).to.include({ comm: 'unshare' })
    expect(read(usual)).to.equal('scanned')
  })

  const odd: readonly { what: string; from: string; to: string }[] = [
    { what: 'a command in hex', from: '"unshare"', to: '6120622263' },
    { what: 'a command with a blank', from: '"unshare"', to: '"a pid=5"' },
    { what: 'a command with a byte beyond ASCII', from: '"unshare"', to: '"\u00e9"' },
    { what: 'a file in hex', from: '"/usr/bin/unshare"', to: '2F612062' },
    { what: 'no file', from: ' exe="/usr/bin/unshare"', to: '' },
    { what: 'no subject', from: ' subj=varmor-demo-demo-1 (enforce)', to: '' },
    { what: 'a subject in quotes', from: 'varmor-demo-demo-1 (enforce)', to: '"varmor-demo-demo-1"' },
    { what: 'a subject with a backslash', from: 'varmor-demo-demo-1', to: 'varmor\\x41' },
    { what: 'a second pid', from: 'code=0x7ffc0000', to: 'code=0x7ffc0000 pid=7' },
    { what: 'a pid with a zero before it', from: '3811300', to: '07' },
    { what: 'an address in quotes', from: '0x7f3a2617de1b', to: '"0x7f"' },
    { what: 'a code before the command', from: ' comm=', to: ' code=\u00e9 comm=' },
    { what: 'an extra pair', from: 'compat=0', to: 'compat=0 more=1' },
    { what: 'a code with a backslash', from: '0x7ffc0000', to: '\\x41' },
    { what: 'a record that is cut off in its command', from: usual.slice(usual.indexOf('share"')), to: '' },
  ]
  for (const { what, from, to } of odd)
    it(`leave ${what} to the scanner`, () => {
      const read = reader()
      read(usual)
      for (let time = 0; time < 2; time++) expect(read(usual.replace(from, to))).to.equal('scanned')
      expect(read(usual)).to.not.equal('scanned')
    })

  it('find what the scanner finds', () => {
    const read = reader()
    read(usual)
    const fields = new RecordFields(seccompSchema.size)
    const bytes = bytesOf(usual)
    scanFields(seccompSchema, bytes, 0, bytes.length, fields)
    const of = (slot: number) => usual.slice(fields.starts[slot], fields.ends[slot])
    const { subj, pid, comm, exe, ip } = slotOf
    expect(read(usual)).to.deep.equal({ subj: of(subj), pid: of(pid), comm: of(comm), exe: of(exe), ip: of(ip) })
  })
})
