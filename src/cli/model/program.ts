import { type Command, InvalidArgumentError, Option } from 'commander'
import { formats } from '../output.ts'

// The commands of `varmor model`. Each command loads only its own code.

const ofModel = 'file with an ArmorProfileModel, - for standard input, or NAMESPACE/NAME in the cluster'

function withCluster(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'kubeconfig of the cluster; default: $KUBECONFIG, else the service account of the pod, else ~/.kube/config',
    )
    .option('--context <name>', 'context of the kubeconfig; default: its current context')
}

const output = (): Option => new Option('-o, --output <format>', 'output format').choices(formats).default('text')
const objectOutput = (): Option =>
  new Option('-o, --output <format>', 'output format').choices(['json', 'yaml']).default('json')
const noGeneralise = (): Option =>
  new Option('--no-generalise', 'keep names exactly as recorded; do not replace varying parts by patterns')

function readIds(text: string): string[] {
  if (!/^[0-9a-f]{32}(,[0-9a-f]{32})*$/.test(text))
    throw new InvalidArgumentError(
      'It must be ids of 32 characters, separated by commas; the command lists them without --only.',
    )
  return text.split(',')
}

/** Adds `varmor model` with its commands. */
export function addModel(varmor: Command): void {
  const model = varmor
    .command('model')
    .description('show, compare, merge and move the models that behaviour modelling recorded')
  addShow(model)
  addDiff(model)
  addMerge(model)
  addExport(model)
  addImport(model)
  addExtend(model)
}

function addShow(model: Command): void {
  withCluster(model.command('show'))
    .description('print what a model allows, for each enforcer, and which names each pattern replaces')
    .argument('<model...>', ofModel)
    .addOption(output())
    .addHelpText('after', '\nExit status: 0 done; 1 a model cannot be read; 2 misuse.')
    .action(async (sources, given) => {
      const { showCommand } = await import('./model-commands.ts')
      process.exitCode = await showCommand(sources, given)
    })
}

function addDiff(model: Command): void {
  withCluster(model.command('diff'))
    .description('print what one model allows and the other does not: - only the first, + only the second')
    .argument('<first>', ofModel)
    .argument('<second>', 'the model to compare with: a file, - or NAMESPACE/NAME')
    .addOption(output())
    .addHelpText('after', '\nExit status: 0 both allow the same; 1 they differ; 2 a model cannot be read, or misuse.')
    .action(async (first, second, given) => {
      const { diffCommand } = await import('./model-commands.ts')
      process.exitCode = await diffCommand(first, second, given)
    })
}

function addMerge(model: Command): void {
  withCluster(model.command('merge'))
    .description('print one model that allows everything that any of these models allows, with new profiles')
    .argument('<model...>', ofModel)
    .option('--as <namespace/name>', 'namespace and name of the merged model; default: those of the first model')
    .addOption(noGeneralise())
    .addOption(objectOutput())
    .addHelpText('after', '\nExit status: 0 done; 1 a model cannot be read, or the models cannot be merged; 2 misuse.')
    .action(async (sources, given) => {
      const { mergeCommand } = await import('./model-commands.ts')
      process.exitCode = await mergeCommand(sources, given)
    })
}

function addExport(model: Command): void {
  withCluster(model.command('export'))
    .description('print models of the cluster, as kubectl get -o json does')
    .argument('<namespace/name...>', 'namespace and name of each model')
    .addOption(objectOutput())
    .addHelpText('after', '\nExit status: 0 done; 1 the cluster refuses or does not answer; 2 misuse.')
    .action(async (sources, given) => {
      const { exportCommand } = await import('./model-commands.ts')
      process.exitCode = await exportCommand(sources, given)
    })
}

function addImport(model: Command): void {
  withCluster(model.command('import'))
    .description(
      'write models to the cluster; if a model exists there, its recording is merged and its profiles are replaced',
    )
    .argument('<file...>', 'files with ArmorProfileModels; - is standard input')
    .addHelpText('after', '\nExit status: 0 done; 1 a file has errors, or the cluster refuses; 2 misuse.')
    .action(async (files, given) => {
      const { importCommand } = await import('./model-commands.ts')
      process.exitCode = await importCommand(files, given)
    })
}

function addExtend(model: Command): void {
  withCluster(model.command('extend'))
    .description('list violations that the model does not allow, or print the model extended by them')
    .argument('<model>', ofModel)
    .addOption(new Option('--from <file>', 'log of violations; its rotated files are also read').makeOptionMandatory())
    .addOption(
      new Option('--only <ids>', 'add the violations with these ids, separated by commas')
        .argParser(readIds)
        .conflicts('all'),
    )
    .option('--all', 'add all violations', false)
    .addOption(noGeneralise())
    .addOption(objectOutput())
    .addHelpText('after', '\nExit status: 0 done; 1 the model or the log cannot be read; 2 misuse.')
    .action(async (source, given) => {
      const { extendCommand } = await import('./extend-command.ts')
      process.exitCode = await extendCommand(source, given)
    })
}
