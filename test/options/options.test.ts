import { expect } from 'chai'
import { Command } from 'commander'
import { addOptions } from '../../src/cli/add-options.ts'
import { agentOptions } from '../../src/options/agent.ts'
import { managerOptions } from '../../src/options/manager.ts'
import type { OptionTable } from '../../src/options/option.ts'
import { sandboxNodeOptions, sandboxOptions } from '../../src/options/sandbox.ts'
import { uninstallOptions } from '../../src/options/uninstall.ts'

const tables: Record<string, OptionTable> = {
  ...{ manager: managerOptions, agent: agentOptions, uninstall: uninstallOptions },
  ...{ sandbox: sandboxOptions, 'sandbox-node': sandboxNodeOptions },
}
const commandOf = (table: OptionTable): Command =>
  addOptions(new Command().exitOverride().configureOutput({ writeErr: () => undefined }), table)

describe('tables of options', () => {
  for (const [role, table] of Object.entries(tables))
    it(`give varmor ${role} its options by the names of the table, so that their types are true`, () => {
      const { options } = commandOf(table)
      expect(options.map((option) => option.attributeName())).to.deep.equal(Object.keys(table))
      expect(new Set(options.map(({ long }) => long)).size).to.equal(options.length)
    })

  for (const [role, args, key, value] of [
    ['manager', [], 'tokenAudience', ['varmor-manager']],
    ['manager', ['--token-audience', 'a,b', '--token-audience', 'c'], 'tokenAudience', ['a', 'b', 'c']],
    ['manager', ['--token-audience', ''], 'tokenAudience', []],
    ['agent', ['--containerd-namespaces', 'a'], 'containerdNamespaces', ['a']],
    ['agent', ['--manager', 'https://a', 'https://b'], 'manager', ['https://a', 'https://b']],
    ['manager', [], 'generalise', true],
    ['manager', ['--no-generalise'], 'generalise', false],
    ['sandbox-node', ['--kubeconfig', 'k', '--name', 'n'], 'listen', { host: '0.0.0.0', port: 10_250 }],
  ] as const)
    it(`read varmor ${role} ${args.join(' ')}: ${key} is ${JSON.stringify(value)}`, () => {
      const command = commandOf(tables[role]!)
      command.parseOptions([...args])
      expect(command.opts()[key]).to.deep.equal(value)
    })

  it('say in the help what applies without a flag', () => {
    const help = commandOf(agentOptions).helpInformation().replace(/\s+/g, ' ')
    expect(help).to.include('--violations-max-files <count> maximum rotated files kept for each log (default: 3)')
    expect(help).to.include('threads that decode records (default: 1, or 2 on 3 or more cores)')
    expect(help).to.include('URLs of managers: https://HOST[:PORT] (default: the Service varmor-status-svc)')
  })
})
