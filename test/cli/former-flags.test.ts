import { expect } from 'chai'
import { Command } from 'commander'
import { addAgent, addManager } from '../../src/cli/roles.ts'
import { flagOf, type OptionTable } from '../../src/options/option.ts'
import { roleTables } from '../../src/options/role-tables.ts'
import { parseRole } from './parse-role.ts'
import { varmor } from './run.ts'

/** A value for each option that has a former name; a switch has none. */
const values: Record<string, string | undefined> = {
  ...{ webhookFailurePolicy: 'Fail', webhookExemptNamespaces: 'a,b', confineInitContainers: undefined },
  ...{ unloadAllBpfProfiles: undefined, bpfRingSize: '2M', bpfContainers: '7', bpfProfiles: '7' },
  ...{ bpfProfileMemory: '64M', bpfRecordsRate: '10/20', strictStart: undefined, violationsPodLabels: 'app' },
  ...{
    logUntrustedRecords: undefined,
    violationsMaxSize: '2M',
    violationsMaxFiles: '7',
    violationsCompress: undefined,
  },
  ...{ violationsMaxTotalSize: '9M', violationsRate: '2.5' },
}

const renamed = Object.entries<OptionTable>(roleTables).flatMap(([role, table]) =>
  Object.entries(table).flatMap(([key, option]) =>
    option.formerly === undefined ? [] : [{ role, key, former: option.formerly, present: flagOf(key, option) }],
  ),
)
const nowhere = { KUBECONFIG: '', KUBERNETES_SERVICE_HOST: '', HOME: '/nonexistent' }

describe('Former names of flags', () => {
  it('are known to this test', () => {
    expect(renamed.map(({ former }) => former)).to.have.members(Object.keys(values))
  })

  for (const { role, key, former, present } of renamed) {
    const value = values[former]
    const equals = value === undefined ? '' : `=${value}`
    for (const given of [`--${former}${equals}`, `-${former}${equals}`])
      it(`varmor ${role} ${given} is --${present}${equals}`, () => {
        const { options, former: found } = parseRole([role, given])
        expect(options).to.deep.equal(parseRole([role, `--${present}${equals}`]).options)
        expect(options[key]).not.to.deep.equal(parseRole([role]).options[key])
        expect(found).to.deep.equal([former])
      })
  }

  for (const [given, key, value] of [
    ['agent --violationsRate 1 --violations-rate 2', 'violationsRate', 2],
    ['agent --violations-rate 2 --violationsRate 1', 'violationsRate', 1],
    ['agent --strictStart --strict-start=false', 'strictStart', false],
    ['agent --strict-start -strictStart=false', 'strictStart', false],
    ['agent --strict-start=false --strictStart', 'strictStart', true],
    ['manager --webhookExemptNamespaces=a --webhook-exempt-namespaces=b', 'webhookExemptNamespaces', ['a', 'b']],
  ] as const)
    it(`are the same flag: varmor ${given} is as if the present name were there twice`, () => {
      expect(parseRole(given.split(' ')).options[key]).to.deep.equal(value)
    })

  it('give one warning each, whatever follows', async () => {
    const given = ['agent', '--violationsRate', '1', '-strictStart', '--violations-rate=2', '-violationsRate=3']
    const run = await varmor(given, '', nowhere)
    const warnings = ['violationsRate is now --violations-rate', 'strictStart is now --strict-start']
    const lines = warnings.map((words) => `warning: --${words}; use the new name\n`)
    expect(run.stderr).to.match(new RegExp(`^${lines.join('')}error: no cluster`))
    expect((await varmor(['agent', '--violations-rate=1'], '', nowhere)).stderr).not.to.include('warning')
  })

  it('name the present flag in an error', async () => {
    const run = await varmor(['agent', '--violationsRate', '0'], '', nowhere)
    expect(run.stderr).to.match(/error: option '--violations-rate <events>' argument '0' is invalid/)
    expect(run.status).to.equal(2)
  })

  it('are not in the help', () => {
    const roles = new Command()
    for (const add of [addManager, addAgent]) add(roles)
    const help = roles.commands.map((role) => role.helpInformation()).join('')
    for (const { former, present } of renamed)
      expect(help).to.include(`--${present} `).and.not.to.include(`--${former}`)
  })
})
