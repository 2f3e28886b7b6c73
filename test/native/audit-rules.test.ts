import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { loadAuditAddon, readAuditState } from '../../src/audit/source/audit-addon.ts'
import type { AuditRule } from '../../src/audit/source/audit-rules.ts'
import { MulticastSource } from '../../src/audit/source/multicast.ts'
import { whyNotHere } from '../audit/source/kernel-records.ts'
import { until } from '../cli/child.ts'
import { withKernelAlone } from '../run/kernel-alone.ts'
import { compile, hasCompiler } from './c-program.ts'

const rule = 1_040

describe(`reading audit rules in C${hasCompiler ? '' : ' (not here: no gcc)'}`, () => {
  before(function () {
    if (!hasCompiler) this.skip()
  })

  const scenarios: Record<string, string> = {
    some: `3 rules, ${3 * (rule + 4) + 2 + 4} bytes, enabled 2`,
    late: `2 rules, ${2 * (rule + 4) + 2 + 4} bytes, enabled 2`,
    forged: `2 rules, ${2 * (rule + 4) + 2 + 4} bytes, enabled 2`,
    // The addon cuts long texts; the fields that decide come first.
    long: '1 rules, 8180 bytes, enabled 2',
    thousands: '0 rules, 0 bytes, enabled 2',
    many: 'Argument list too long',
    endless: 'Connection timed out',
    silent: 'Connection timed out',
    overrun: 'No buffer space available',
    refused: 'Operation not permitted',
    short: 'Bad message',
    strange: 'Bad message',
  }
  for (const [scenario, printed] of Object.entries(scenarios))
    it(`has an end, and an error where it is not whole: ${scenario}`, () => {
      const check = compile('rules-check', ['audit-socket.c'], ['-fsanitize=address,undefined'])
      const { stdout, stderr } = spawnSync(check, [scenario], { encoding: 'utf8' })
      expect([stdout, stderr]).to.deep.equal([printed, ''])
    })
})

const missing = whyNotHere()

describe(`audit rules of this kernel${missing === undefined ? '' : ` (not here: ${missing})`}`, () => {
  const count = 100
  before(function () {
    if (missing !== undefined) this.skip()
  })
  withKernelAlone()
  const change = (how: 'add' | 'delete'): void => {
    const { status, stderr } = spawnSync(compile('change-rules'), [how, `${count}`], { encoding: 'utf8' })
    expect([status, stderr]).to.deep.equal([0, ''])
  }
  const ours = ({ fields }: AuditRule): boolean => fields[0]!.value >= 2_900 && fields[0]!.value < 2_900 + count

  it('are read whole and in their order, those of other lists left out', async () => {
    change('add')
    try {
      const { rules, enabled } = await readAuditState()
      expect(enabled).to.be.within(0, 2)
      expect(rules.filter(ours).map(({ fields }) => fields)).to.deep.equal(
        Array.from({ length: count }, (_, i) => [{ field: 12, operator: 0x4000_0000, value: 2_900 + i }]),
      )
      expect(rules.filter(({ fields }) => fields[0]!.field === 0)).to.deep.equal([])
    } finally {
      change('delete')
    }
    expect((await readAuditState()).rules.filter(ours)).to.deep.equal([])
  })

  it('are counted as they change, where the audit is switched on', async function () {
    if ((await readAuditState()).enabled === 0) this.skip()
    const source = new MulticastSource()
    try {
      const removed = (): number => source.stats().exclusionsRemoved
      change('add')
      await until(async () => source.stats().configChanges >= count)
      expect(removed()).to.equal(0)
      change('delete')
      await until(async () => removed() >= count)
    } finally {
      source.close()
    }
  })

  const refusals = [
    { where: 'without CAP_AUDIT_CONTROL', run: ['setpriv', '--bounding-set=-audit_control'] },
    { where: 'in a PID namespace of its own', run: ['unshare', '--pid', '--fork'] },
  ]
  for (const { where, run } of refusals)
    it(`are refused ${where}, with the remedy`, () => {
      loadAuditAddon()
      const script = new URL('../audit/source/ask-audit.ts', import.meta.url).pathname
      const [command = '', ...args] = [...run, process.execPath, '--import', 'tsx', script]
      const { stdout } = spawnSync(command, args, { encoding: 'utf8' })
      expect(JSON.parse(stdout)).to.include({ code: 'NOT_PERMITTED' })
      expect(JSON.parse(stdout).remedy).to.contain('AUDIT_CONTROL').and.contain('hostPID')
    })
})
