import { type Command, Option } from 'commander'
import { featureNames } from '../../advice/features.ts'
import { formats } from '../output.ts'
import { readActions, readDnsName, readDuration } from '../read-option.ts'
import { readCapabilities, readFeatures, readKernelEnforcers, readTarget } from './read-words.ts'

// The verbs of `varmor policy`. Each loads its own code, so that none waits for another's.

/** `varmor policy test`, `diff` and `advise`. */
export function addPolicy(varmor: Command): void {
  const policy = varmor
    .command('policy')
    .description('try a policy before it is applied: replay what was recorded, compare two, have one written')
  addTest(policy)
  addDiff(policy)
  addAdvise(policy)
}

const parserOption = (): Option =>
  new Option('--apparmor-parser <version>', 'for which AppArmor').choices(['3.0', '4.0']).default('3.0')

const installNamespaceOption = (): Option =>
  new Option(
    '--install-namespace <namespace>',
    'where vArmor is installed; part of the profile names of cluster policies',
  ).default('varmor')

const outputOption = (): Option => new Option('-o, --output <format>', 'how to print').choices(formats).default('text')

/** Which cluster a model is read from. */
function clusterOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'which cluster; default: KUBECONFIG, ~/.kube/config, or the pod that this runs in')
    .option('--context <name>', 'of the kubeconfig')
}

function addTest(policy: Command): void {
  const test = policy
    .command('test')
    .description('say what a policy would have refused of what was recorded, by which rule, and what would allow it')
    .addOption(
      new Option(
        '-f, --file <file...>',
        'manifest with the policy, YAML or JSON; - is standard input',
      ).makeOptionMandatory(),
    )
    .option('--model <source>', 'what was recorded: a file with an ArmorProfileModel, or NAMESPACE/NAME in the cluster')
    .option('--events <file>', 'what was recorded: a violations.log, with its rotated files')
    .option('-n, --namespace <name>', 'of the events only those of its pods')
    .option('--pod <name>', 'of the events only those of this pod')
    .option('--policy <name>', 'of the events only those against this policy: NAME or NAMESPACE/NAME')
    .option('--since <duration>', 'of the events only those of the last 90s, 10m, 1h30m, 2d', readDuration)
    .option('--action <action...>', 'of the events only DENIED, AUDIT or ALLOWED', readActions)
  clusterOptions(test)
    .addOption(parserOption())
    .addOption(installNamespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
What cannot be judged is counted with the reason: a call of which the arguments decide, and were not recorded; a rule about Services.
Exit status: 0 nothing would be refused; 1 something would; 2 misuse, the input cannot be read, or nothing of it could be judged.`,
    )
    .action(async (given) => {
      const { testCommand } = await import('./policy-test-command.ts')
      process.exitCode = await testCommand(given)
    })
}

function addDiff(policy: Command): void {
  policy
    .command('diff')
    .description(
      'say what becomes allowed or forbidden from one policy to another, for each enforcer and with examples',
    )
    .argument('<old>', 'manifest with the policy as it is; - is standard input')
    .argument('<new>', 'manifest with the policy as it is to be')
    .addOption(parserOption())
    .addOption(installNamespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Policies of several are paired by their names. Of AppArmor's rules about mounts, tracing and signals the text alone is compared.
Exit status: 0 the same for the kernel; 1 not the same, or not all could be compared; 2 misuse, or the input cannot be read.`,
    )
    .action(async (old, made, given) => {
      const { diffCommand } = await import('./policy-diff-command.ts')
      process.exitCode = await diffCommand(old, made, given)
    })
}

function addAdvise(policy: Command): void {
  const advise = policy
    .command('advise')
    .description('write a policy of the built-in rules that an application does not need, each with the reason')
    .option(
      '-m, --model <source>',
      'what was recorded: a file with an ArmorProfileModel, or NAMESPACE/NAME in the cluster',
    )
    .addOption(
      new Option('-f, --features <list>', `what the application is like, with commas: ${featureNames.join(', ')}`)
        .argParser(readFeatures)
        .default([], 'none'),
    )
    .addOption(
      new Option('-c, --capabilities <list>', 'what it needs of capabilities(7), without CAP_ and with commas')
        .argParser(readCapabilities)
        .default([], 'none'),
    )
    .addOption(
      new Option('-e, --enforcers <list>', 'which enforcers there are: AppArmor, BPF, Seccomp')
        .argParser(readKernelEnforcers)
        .default(['AppArmor', 'BPF', 'Seccomp'], 'all'),
    )
    .option('--name <name>', "of the policy; default: as the model's", readDnsName)
    .option('-n, --namespace <name>', "of the policy; default: as the model's", readDnsName)
    .option(
      '--target <kind/name>',
      'which workload, such as Deployment/web; default: the Deployment of that name',
      readTarget,
    )
  clusterOptions(advise)
    .addOption(parserOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'))
    .addHelpText(
      'after',
      `
Without a model it takes the rules that nearly every application can do without, and all capabilities that are not named.
Exit status: 0 done; 2 misuse, or the model cannot be read.`,
    )
    .action(async (given) => {
      const { adviseCommand } = await import('./policy-advise-command.ts')
      process.exitCode = await adviseCommand(given)
    })
}
