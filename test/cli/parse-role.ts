import { Command } from 'commander'
import { readLikeGo } from '../../src/cli/go-flags.ts'
import { addAgent, addManager, addUninstall } from '../../src/cli/roles.ts'
import { renamedFlags } from '../../src/options/option.ts'
import { isRole, roleTables } from '../../src/options/role-tables.ts'

/**
 * Parses the command line of a role without running the role.
 * @throws if the command line is refused
 */
export function parseRole([name = '', ...given]: readonly string[]): {
  options: Record<string, unknown>
  ignored: string[]
  /** Former names of flags. */
  former: string[]
} {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined })
  for (const add of [addManager, addAgent, addUninstall]) add(program)
  const role = program.commands.find((each) => each.name() === name)
  if (role === undefined || !isRole(name)) throw new Error(`there is no role ${name}`)
  const { args, ignored, renamed } = readLikeGo(role.options, given, renamedFlags(roleTables[name]))
  const { operands, unknown } = role.parseOptions(args)
  const rest = [...operands, ...unknown]
  if (rest.length > 0) throw new Error(`varmor ${name} does not take ${rest.join(' ')}`)
  return { options: role.opts(), ignored, former: [...renamed.keys()] }
}
