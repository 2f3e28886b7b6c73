import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { type KernelEnforcer, parseEnforcers } from '../api/enforcer.ts'
import { readLikeGo } from './go-flags.ts'
import { addModel } from './model/program.ts'
import { endWithReader, formats, printable } from './output.ts'
import { packageVersion } from './package-version.ts'
import { addPolicy } from './policy/add-policy.ts'
import { readActions, readAmount, readCount, readDuration } from './read-option.ts'
import { addAgent, addManager, addUninstall } from './roles.ts'

// Each command loads its own code, so that none waits for another's.

const MISUSE = 2

/** Adds a command. */
export type AddCommand = (varmor: Command) => void

function program(more: readonly AddCommand[]): Command {
  const varmor = new Command('varmor')
    .description('Container hardening for Kubernetes: AppArmor, BPF and Seccomp profiles from policies.')
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false })
  const roles = [addManager, addAgent, ...more, addUninstall]
  const verbs = [addCompile, addValidate, addRules, addPolicy, addModel, addDecode, addLogs]
  for (const add of [...verbs, ...roles, addVersion]) add(varmor)
  return varmor
}

function fileOption(): Option {
  return new Option('-f, --file <file...>', 'manifest to read, YAML or JSON; - is standard input').makeOptionMandatory()
}

function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print').choices(formats).default('text')
}

function installNamespaceOption(): Option {
  const description = 'where vArmor is installed; part of the profile names of cluster policies'
  return new Option('--install-namespace <namespace>', description).default('varmor')
}

function addCompile(varmor: Command): void {
  varmor
    .command('compile')
    .description('print exactly what each enforcer loads for the policies of a manifest, and what is skipped and why')
    .addOption(fileOption())
    .addOption(
      new Option('--enforcer <enforcer...>', "compile for these instead of the policy's own").argParser(readEnforcers),
    )
    .addOption(new Option('--apparmor-parser <version>', 'for which AppArmor').choices(['3.0', '4.0']).default('3.0'))
    .addOption(installNamespaceOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExit status: 0 done; 1 the input has errors, all of which are listed; 2 misuse.')
    .action(async (given) => {
      const { compileCommand } = await import('./compile-command.ts')
      process.exitCode = await compileCommand(given)
    })
}

function addValidate(varmor: Command): void {
  varmor
    .command('validate')
    .description('check the policies of a manifest, and list every error with its place')
    .addOption(fileOption())
    .addOption(installNamespaceOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExit status: 0 all are valid; 1 one is not; 2 misuse.')
    .action(async (given) => {
      const { validateCommand } = await import('./validate-command.ts')
      process.exitCode = await validateCommand(given)
    })
}

function addRules(varmor: Command): void {
  varmor
    .command('rules')
    .description('list the built-in rules, or explain some of them')
    .argument('[name...]', 'names of rules, in any case, with - or _')
    .addOption(outputOption())
    .action(async (names, given) => {
      const { rulesCommand } = await import('./rules-command.ts')
      process.exitCode = await rulesCommand(names, given)
    })
}

function addDecode(varmor: Command): void {
  varmor
    .command('decode')
    .description('print the violations that are in an audit log; what cannot be decoded goes to standard error')
    .argument('[file]', 'log to read; - is standard input', '-')
    .addOption(
      new Option(
        '--source <kind>',
        'auditlog: audit.log, dmesg, kern.log, journalctl; kmsg: what /dev/kmsg gives; record: of the BPF ring',
      )
        .choices(['auditlog', 'kmsg', 'record'])
        .default('auditlog'),
    )
    .option('--containers <file>', 'containers and policies of the node, as JSON')
    .option('--all', 'also events of profiles that are not of vArmor', false)
    .option('--boot-time <seconds>', 'when the node was started (unix time), for BPF records', readCount)
    .addHelpText('after', '\nExit status: 0 done; 1 a line could not be decoded or a file not be read; 2 misuse.')
    .action(async (file, given) => {
      const { decodeCommand } = await import('./decode-command.ts')
      process.exitCode = await decodeCommand(file, given)
    })
}

function addLogs(varmor: Command): void {
  varmor
    .command('logs')
    .description('print the violations of this node, one readable line each, from its log and the rotated files of it')
    .option('--file <file>', 'log that the agent writes', '/var/log/varmor/violations.log')
    .option('--digest', 'its digest instead: of each container and minute the first of each kind, and how many', false)
    .option('-f, --follow', 'go on with what is written, over rotations, until Ctrl-C', false)
    .option('--since <duration>', 'only violations of the last 90s, 10m, 1h30m, 2d', readDuration)
    .option('--tail <count>', 'begin with the last so many of them; 0: only new ones', readAmount)
    .option('-n, --namespace <name>', 'only of its pods, and of what may be')
    .option('--pod <name>', 'only of this pod')
    .option('--policy <name>', 'only against this policy: NAME or NAMESPACE/NAME')
    .option('--action <action...>', 'only DENIED, AUDIT or ALLOWED', readActions)
    .addOption(
      new Option('-o, --output <format>', 'how to print; json: the lines as they are')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText(
      'after',
      `
Names may have * for any characters. A line about lost events passes all filters but --since. A line of numbers, of events that were
held back or in the digest, has no policy and no action, and passes --policy and --action. With --namespace a violation of no known
pod is shown where its policy is of that namespace, or of the whole cluster.
Exit status: 0 done; 1 a line is no violation, or the log cannot be read; 2 misuse.`,
    )
    .action(async (given) => {
      const { logsCommand } = await import('./logs/logs-command.ts')
      process.exitCode = await logsCommand(given)
    })
}

function addVersion(varmor: Command): void {
  const printVersion = () => {
    process.stdout.write(`varmor ${packageVersion()}\n`)
  }
  varmor.command('version').description('print the version').action(printVersion)
  varmor.option('-V, --version', 'print the version').on('option:version', () => {
    printVersion()
    process.exit(0)
  })
}

/** Takes names one by one, with commas, and written together as in a policy. */
function readEnforcers(text: string, before: KernelEnforcer[] = []): KernelEnforcer[] {
  const named = text.split(',').flatMap((part) => {
    const parsed = parseEnforcers(part.trim())
    if (parsed.ok) return parsed.enforcers
    const hint = parsed.nearest === undefined ? '' : ` Did you mean ${parsed.nearest}?`
    throw new InvalidArgumentError(`${JSON.stringify(parsed.rest)} is no enforcer.${hint}`)
  })
  const kernel = named.filter((name) => name !== 'NetworkProxy')
  if (kernel.length < named.length) throw new InvalidArgumentError('NetworkProxy loads nothing into the kernel.')
  return [...before, ...kernel]
}

/** Arguments of roles that upstream has may be as upstream takes them. */
function argumentsOf(varmor: Command, given: readonly string[]): string[] {
  const [name = '', ...rest] = given
  const role = ['manager', 'agent', 'uninstall'].includes(name) && varmor.commands.find((each) => each.name() === name)
  if (!role) return [...given]
  const { args, ignored } = readLikeGo(role.options, rest)
  for (const flag of ignored) process.stderr.write(`warning: ${printable(flag)} means nothing to varmor ${name}\n`)
  return [name, ...args]
}

/** Does what the command line says. @param more commands of this program that not every installation has */
export async function runVarmor(more: readonly AddCommand[] = []): Promise<void> {
  endWithReader()
  try {
    const varmor = program(more)
    await varmor.parseAsync(argumentsOf(varmor, process.argv.slice(2)), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? 0 : MISUSE
  }
}
