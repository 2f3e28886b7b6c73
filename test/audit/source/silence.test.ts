import { expect } from 'chai'
import { parseAuditRules } from '../../../src/audit/source/audit-rules.ts'
import { type Silence, silencedByRules, silencedBySettings } from '../../../src/audit/source/silence.ts'
import { type MadeRule, msgtype, rulesBytes, uid } from './rule-bytes.ts'

const byRules = (rules: MadeRule[], { enabled = 1, appArmor = true } = {}): Silence[] =>
  silencedByRules({ enabled, rules: parseAuditRules(rulesBytes(...rules)) }, appArmor)

const said = (silences: readonly Silence[]): string[] => silences.map(({ records, reason }) => `${records} ${reason}`)

describe('records that the kernel does not make', () => {
  const avc: MadeRule = { fields: [[msgtype, '=', 1400]] }
  const all: MadeRule = { fields: [[msgtype, '>', 0]] }

  it('are named with the rule and how to delete it', () => {
    const [silence, ...others] = byRules([avc])
    expect(others).to.deep.equal([])
    expect(silence!.records).to.equal('AppArmor')
    expect(silence!.why).to.match(
      /^violations of AppArmor are not reported: the audit rule "-a always,exclude -F msgtype=AVC"/,
    )
    expect(silence!.why).to.contain('every source lacks them')
    expect(silence!.remedy).to.match(
      /^run auditctl -d always,exclude -F msgtype=AVC, and delete the rule from \/etc\/audit\/rules\.d$/,
    )
  })

  it('stay so until a restart where the rules are locked', () => {
    expect(byRules([avc], { enabled: 2 })[0]!.remedy)
      .to.contain('restart the node')
      .and.not.contain('auditctl -d')
  })

  it('of some processes are said to be that', () => {
    const [silence] = byRules([
      {
        fields: [
          [msgtype, '=', 1326],
          [uid, '!=', 0],
        ],
      },
    ])
    expect(silence!.why).to.match(/^violations of Seccomp by some processes are not reported/)
  })

  it('are of each kind that a rule hits, and on a node without AppArmor not of AppArmor', () => {
    expect(said(byRules([all]))).to.deep.equal(['AppArmor rule', 'D-Bus rule', 'Seccomp rule'])
    expect(said(byRules([all], { appArmor: false }))).to.deep.equal(['Seccomp rule'])
    expect(said(byRules([]))).to.deep.equal([])
  })

  it('are all there with an audit that is switched off', () => {
    expect(said(byRules([], { enabled: 0 }))).to.deep.equal([])
  })

  const parameters = 'sys/module/apparmor/parameters'
  const seccomp = 'proc/sys/kernel/seccomp'
  const defaults: Record<string, string> = {
    [`${parameters}/enabled`]: 'Y',
    [`${parameters}/audit`]: 'normal',
    [`${seccomp}/actions_avail`]: 'kill_process kill_thread trap errno user_notif trace log allow',
    [`${seccomp}/actions_logged`]: 'kill_process kill_thread trap errno user_notif trace log',
  }
  const settings: { what: string; files: Record<string, string | undefined>; silenced: string[]; names?: string }[] = [
    { what: 'as the kernel starts', files: {}, silenced: [] },
    { what: 'quiet', files: { [`${parameters}/audit`]: 'quiet' }, silenced: ['AppArmor setting'], names: '"quiet"' },
    {
      what: 'quiet of refusals',
      files: { [`${parameters}/audit`]: 'quiet_denied' },
      silenced: ['AppArmor setting'],
      names: '"quiet_denied"',
    },
    { what: 'noquiet', files: { [`${parameters}/audit`]: 'noquiet' }, silenced: [] },
    {
      what: 'quiet without AppArmor',
      files: { [`${parameters}/enabled`]: undefined, [`${parameters}/audit`]: 'quiet' },
      silenced: [],
    },
    {
      what: 'without errno and log',
      files: { [`${seccomp}/actions_logged`]: 'kill_process kill_thread trap user_notif trace' },
      silenced: ['Seccomp setting'],
      names: 'errno, log',
    },
    { what: 'nothing is logged', files: { [`${seccomp}/actions_logged`]: '' }, silenced: ['Seccomp setting'] },
    {
      what: 'of a kernel that does not know user_notif',
      files: {
        [`${seccomp}/actions_avail`]: 'kill_process kill_thread trap errno trace log allow',
        [`${seccomp}/actions_logged`]: 'kill_process kill_thread trap errno trace log',
      },
      silenced: [],
    },
    {
      what: 'unreadable',
      files: Object.fromEntries(Object.keys(defaults).map((path) => [path, undefined])),
      silenced: [],
    },
  ]
  for (const { what, files, silenced, names = '' } of settings)
    it(`by settings of AppArmor and Seccomp: ${what}`, () => {
      const silences = silencedBySettings((path) => ({ ...defaults, ...files })[path])
      expect(said(silences)).to.deep.equal(silenced)
      for (const { why, remedy } of silences) {
        expect(why).to.contain(names)
        expect(remedy).to.match(/^run (echo|sysctl) /)
      }
    })
})
