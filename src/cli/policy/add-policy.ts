import { type Command, Option } from 'commander'
import { featureNames } from '../../advice/features.ts'
import { readActions, readDnsName, readDuration } from '../../options/readers.ts'
import { formats } from '../output.ts'
import { readCapabilities, readFeatures, readKernelEnforcers, readTarget } from './read-words.ts'

// The commands of `varmor policy`. Each command loads only its own code, so that it starts fast.

/** Adds `varmor policy` with its commands `test`, `diff` and `advise`. */
export function addPolicy(varmor: Command): void {
  const policy = varmor
    .command('policy')
    .description(
      'try a policy before you apply it: replay recorded behaviour, compare two policies, or generate a policy',
    )
  addTest(policy)
  addDiff(policy)
  addAdvise(policy)
}

const parserOption = (): Option =>
  new Option('--apparmor-parser <version>', 'AppArmor version to compile for').choices(['3.0', '4.0']).default('3.0')

const installNamespaceOption = (): Option =>
  new Option(
    '--install-namespace <namespace>',
    'namespace where vArmor is installed; part of the profile names of cluster policies',
  ).default('varmor')

const outputOption = (): Option => new Option('-o, --output <format>', 'output format').choices(formats).default('text')

/** Options for the cluster from which a model is read. */
function clusterOptions(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'kubeconfig of the cluster; default: $KUBECONFIG, else the service account of the pod, else ~/.kube/config',
    )
    .option('--context <name>', 'context of the kubeconfig; default: its current context')
}

function addTest(policy: Command): void {
  const test = policy
    .command('test')
    .description('show which recorded operations a policy would refuse, by which rule, and what would allow them')
    .addOption(
      new Option(
        '-f, --file <file...>',
        'manifest with the policy, YAML or JSON; - is standard input',
      ).makeOptionMandatory(),
    )
    .option(
      '--model <source>',
      'recorded behaviour: a file with an ArmorProfileModel, or NAMESPACE/NAME in the cluster',
    )
    .option('--events <file>', 'recorded behaviour: a violations.log with its rotated files')
    .option('-n, --namespace <name>', 'with --events: only events of pods in this namespace')
    .option('--pod <name>', 'with --events: only events of this pod')
    .option('--policy <name>', 'with --events: only events of this policy: NAME or NAMESPACE/NAME')
    .option('--since <duration>', 'with --events: only events of the last 90s, 10m, 1h30m, 2d', readDuration)
    .option('--action <action...>', 'with --events: only these actions: DENIED, AUDIT or ALLOWED', readActions)
  clusterOptions(test)
    .addOption(parserOption())
    .addOption(installNamespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Some operations cannot be judged, for example a connection under a rule about Services, or a system call under a rule about arguments,
because recordings do not contain arguments. These operations are counted, with the reason.
Exit status: 0 nothing would be refused; 1 something would be refused; 2 misuse, the input cannot be read, or nothing could be judged.`,
    )
    .action(async (given) => {
      const { testCommand } = await import('./policy-test-command.ts')
      process.exitCode = await testCommand(given)
    })
}

function addDiff(policy: Command): void {
  policy
    .command('diff')
    .description('show what becomes allowed or forbidden from one policy to another, for each enforcer, with examples')
    .argument('<old>', 'manifest with the old policy; - is standard input')
    .argument('<new>', 'manifest with the new policy')
    .addOption(parserOption())
    .addOption(installNamespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
If a manifest has several policies, they are paired by name. AppArmor rules about mounts, tracing and signals are compared only as text.
Exit status: 0 both are the same for the kernel; 1 they differ, or some parts could not be compared; 2 misuse, or the input cannot be read.`,
    )
    .action(async (old, made, given) => {
      const { diffCommand } = await import('./policy-diff-command.ts')
      process.exitCode = await diffCommand(old, made, given)
    })
}

function addAdvise(policy: Command): void {
  const advise = policy
    .command('advise')
    .description(
      'generate a policy of the built-in rules that forbid only what an application does not need, with reasons',
    )
    .option(
      '-m, --model <source>',
      'recorded behaviour: a file with an ArmorProfileModel, or NAMESPACE/NAME in the cluster',
    )
    .addOption(
      new Option(
        '-f, --features <list>',
        `features of the application, separated by commas: ${featureNames.join(', ')}`,
      )
        .argParser(readFeatures)
        .default([], 'none'),
    )
    .addOption(
      new Option(
        '-c, --capabilities <list>',
        'capabilities(7) that the application needs, without CAP_, separated by commas',
      )
        .argParser(readCapabilities)
        .default([], 'none'),
    )
    .addOption(
      new Option('-e, --enforcers <list>', 'enforcers of the policy, separated by commas: AppArmor, BPF, Seccomp')
        .argParser(readKernelEnforcers)
        .default(['AppArmor', 'BPF', 'Seccomp'], 'all'),
    )
    .option('--name <name>', "name of the policy; default: that of the model's policy, else advised", readDnsName)
    .option('-n, --namespace <name>', "namespace of the policy; default: the model's, else default", readDnsName)
    .option(
      '--target <kind/name>',
      'target workload, such as Deployment/web; default: the Deployment with the name of the policy',
      readTarget,
    )
  clusterOptions(advise)
    .addOption(parserOption())
    .addOption(new Option('-o, --output <format>', 'output format').choices(['yaml', 'json']).default('yaml'))
    .addHelpText(
      'after',
      `
Without a model, the policy has the rules that suit nearly every application, and forbids each capability that you do not name.
Exit status: 0 done; 2 misuse, or the model cannot be read.`,
    )
    .action(async (given) => {
      const { adviseCommand } = await import('./policy-advise-command.ts')
      process.exitCode = await adviseCommand(given)
    })
}
