import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { type KernelEnforcer, parseEnforcers } from '../api/enforcer.ts'
import { renamedFlags } from '../options/option.ts'
import { readActions, readAmount, readCount, readDuration } from '../options/readers.ts'
import { isRole, roleTables } from '../options/role-tables.ts'
import { readLikeGo } from './go-flags.ts'
import { addModel } from './model/program.ts'
import { endWithReader, formats, printable } from './output.ts'
import { packageVersion } from './package-version.ts'
import { addPolicy } from './policy/add-policy.ts'
import { addAgent, addManager, addUninstall } from './roles.ts'

// Each command loads only its own code, so that it starts fast.

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
  return new Option('-o, --output <format>', 'output format').choices(formats).default('text')
}

function installNamespaceOption(): Option {
  const description = 'namespace where vArmor is installed; part of the profile names of cluster policies'
  return new Option('--install-namespace <namespace>', description).default('varmor')
}

function addCompile(varmor: Command): void {
  varmor
    .command('compile')
    .description(
      'print exactly what each enforcer loads for the policies of a manifest, and which rules are skipped and why',
    )
    .addOption(fileOption())
    .addOption(
      new Option('--enforcer <enforcer...>', "compile for these enforcers instead of the policy's enforcers").argParser(
        readEnforcers,
      ),
    )
    .addOption(
      new Option('--apparmor-parser <version>', 'AppArmor version to compile for')
        .choices(['3.0', '4.0'])
        .default('3.0'),
    )
    .addOption(installNamespaceOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExit status: 0 done; 1 the input has errors (all are listed); 2 misuse.')
    .action(async (given) => {
      const { compileCommand } = await import('./compile-command.ts')
      process.exitCode = await compileCommand(given)
    })
}

function addValidate(varmor: Command): void {
  varmor
    .command('validate')
    .description('check the policies of a manifest, and list every error with its line and column')
    .addOption(fileOption())
    .addOption(installNamespaceOption())
    .addOption(outputOption())
    .addHelpText('after', '\nExit status: 0 all policies are valid; 1 a policy is invalid; 2 misuse.')
    .action(async (given) => {
      const { validateCommand } = await import('./validate-command.ts')
      process.exitCode = await validateCommand(given)
    })
}

function addRules(varmor: Command): void {
  varmor
    .command('rules')
    .description('list the built-in rules, or explain the named rules')
    .argument('[name...]', 'names of rules, in upper or lower case, with - or _')
    .addOption(outputOption())
    .action(async (names, given) => {
      const { rulesCommand } = await import('./rules-command.ts')
      process.exitCode = await rulesCommand(names, given)
    })
}

function addDecode(varmor: Command): void {
  varmor
    .command('decode')
    .description('print the violations of an audit log; records that cannot be decoded go to standard error')
    .argument('[file]', 'log to read; - is standard input', '-')
    .addOption(
      new Option(
        '--source <kind>',
        'format of the log: auditlog (audit.log, dmesg, kern.log, journalctl), kmsg (/dev/kmsg) or record (BPF ring)',
      )
        .choices(['auditlog', 'kmsg', 'record'])
        .default('auditlog'),
    )
    .option('--containers <file>', 'JSON file of the containers and policies of the node')
    .option('--all', 'also print events of profiles that do not belong to vArmor', false)
    .option('--boot-time <seconds>', 'Unix time when the node started, for BPF records', readCount)
    .addHelpText(
      'after',
      '\nExit status: 0 done; 1 a record could not be decoded, or a file could not be read; 2 misuse.',
    )
    .action(async (file, given) => {
      const { decodeCommand } = await import('./decode-command.ts')
      process.exitCode = await decodeCommand(file, given)
    })
}

function addLogs(varmor: Command): void {
  varmor
    .command('logs')
    .description('print the violations of this node, one readable line each, from its log and its rotated files')
    .option('--file <file>', 'log that the agent writes', '/var/log/varmor/violations.log')
    .option(
      '--digest',
      'print the digest instead: for each container and minute, the first event of each kind and a count',
      false,
    )
    .option('-f, --follow', 'keep printing new violations, across rotations, until Ctrl-C', false)
    .option('--since <duration>', 'only violations of the last 90s, 10m, 1h30m, 2d', readDuration)
    .option('--tail <count>', 'start with the last COUNT violations; 0 = only new violations', readAmount)
    .option('-n, --namespace <name>', 'only violations of pods in this namespace, or that may be of such pods')
    .option('--pod <name>', 'only violations of this pod')
    .option('--policy <name>', 'only violations of this policy: NAME or NAMESPACE/NAME')
    .option('--action <action...>', 'only these actions: DENIED, AUDIT or ALLOWED', readActions)
    .addOption(
      new Option('-o, --output <format>', 'output format; json = the lines as they are in the log')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText(
      'after',
      `
Names may contain * for any characters. A line about lost events passes all filters except --since. A line that counts events, held
back or in the digest, has no policy and no action, so it passes --policy and --action. With --namespace, a violation whose pod is
unknown is shown if its policy belongs to that namespace or to the whole cluster.
Exit status: 0 done; 1 a line is not a violation, or the log cannot be read; 2 misuse.`,
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

/** Accepts single names, names separated by commas, and joined names as in a policy. */
function readEnforcers(text: string, before: KernelEnforcer[] = []): KernelEnforcer[] {
  const named = text.split(',').flatMap((part) => {
    const parsed = parseEnforcers(part.trim())
    if (parsed.ok) return parsed.enforcers
    const hint = parsed.nearest === undefined ? '' : ` Did you mean ${parsed.nearest}?`
    throw new InvalidArgumentError(`${JSON.stringify(parsed.rest)} is not an enforcer.${hint}`)
  })
  const kernel = named.filter((name) => name !== 'NetworkProxy')
  if (kernel.length < named.length) throw new InvalidArgumentError('NetworkProxy loads nothing into the kernel.')
  return [...before, ...kernel]
}

/** The arguments in commander's form. Only the roles that upstream also has accept arguments in upstream's form. */
function argumentsOf(varmor: Command, given: readonly string[]): string[] {
  const [name = '', ...rest] = given
  const role = isRole(name) && varmor.commands.find((each) => each.name() === name)
  if (!role) return [...given]
  const { args, ignored, renamed } = readLikeGo(role.options, rest, renamedFlags(roleTables[name]))
  for (const flag of ignored) warn(`${printable(flag)} has no effect on varmor ${name}`)
  for (const [former, present] of renamed) warn(`--${former} is now --${present}; use the new name`)
  return [name, ...args]
}

function warn(text: string): void {
  process.stderr.write(`warning: ${text}\n`)
}

/** Runs the command line. @param more commands that only some installations have */
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
