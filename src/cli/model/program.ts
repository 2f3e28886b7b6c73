import { type Command, InvalidArgumentError, Option } from 'commander'
import { formats } from '../output.ts'

// `varmor model …`. Each command loads its own code.

const ofModel = 'file with an ArmorProfileModel, - for standard input, or NAMESPACE/NAME in the cluster'

function withCluster(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'of the cluster; default: $KUBECONFIG, the service account of the pod, ~/.kube/config',
    )
    .option('--context <name>', 'of the kubeconfig, instead of its current one')
}

const output = (): Option => new Option('-o, --output <format>', 'how to print').choices(formats).default('text')
const objectOutput = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(['json', 'yaml']).default('json')
const noGeneralise = (): Option => new Option('--no-generalise', 'leave names that vary as they are')

function readIds(text: string): string[] {
  if (!/^[0-9a-f]{32}(,[0-9a-f]{32})*$/.test(text))
    throw new InvalidArgumentError(
      'It must be ids that are shown without --only, of 32 characters, with commas between them.',
    )
  return text.split(',')
}

/** Adds `model` with its commands. */
export function addModel(varmor: Command): void {
  const model = varmor.command('model').description('show, compare, merge and move what behaviour modelling recorded')
  addShow(model)
  addDiff(model)
  addMerge(model)
  addExport(model)
  addImport(model)
  addExtend(model)
}

function addShow(model: Command): void {
  withCluster(model.command('show'))
    .description('print what a model allows, by enforcer, and what each pattern stands for')
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
    .description('print what one model allows and the other does not: - the first alone, + the second alone')
    .argument('<first>', ofModel)
    .argument('<second>', 'likewise')
    .addOption(output())
    .addHelpText('after', '\nExit status: 0 both allow the same; 1 they differ; 2 one cannot be read, or misuse.')
    .action(async (first, second, given) => {
      const { diffCommand } = await import('./model-commands.ts')
      process.exitCode = await diffCommand(first, second, given)
    })
}

function addMerge(model: Command): void {
  withCluster(model.command('merge'))
    .description('print one model that allows what any of these allows, with profiles made anew')
    .argument('<model...>', ofModel)
    .option('--as <namespace/name>', 'of the merged model; default: those of the first')
    .addOption(noGeneralise())
    .addOption(objectOutput())
    .addHelpText('after', '\nExit status: 0 done; 1 a model cannot be read, or none be made; 2 misuse.')
    .action(async (sources, given) => {
      const { mergeCommand } = await import('./model-commands.ts')
      process.exitCode = await mergeCommand(sources, given)
    })
}

function addExport(model: Command): void {
  withCluster(model.command('export'))
    .description('print models of the cluster, as kubectl get -o json does')
    .argument('<namespace/name...>', 'of the model')
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
      'put models into the cluster; what one of the same name there has recorded is kept, and profiles are replaced',
    )
    .argument('<file...>', 'with ArmorProfileModels; - is standard input')
    .addHelpText('after', '\nExit status: 0 done; 1 a file has errors, or the cluster refuses; 2 misuse.')
    .action(async (files, given) => {
      const { importCommand } = await import('./model-commands.ts')
      process.exitCode = await importCommand(files, given)
    })
}

function addExtend(model: Command): void {
  withCluster(model.command('extend'))
    .description('show what violations the model lacks, or print the model with these')
    .argument('<model>', ofModel)
    .addOption(new Option('--from <file>', 'log of violations; its rotated files are read, too').makeOptionMandatory())
    .addOption(new Option('--only <ids>', 'add these, by their ids').argParser(readIds).conflicts('all'))
    .option('--all', 'add all', false)
    .addOption(noGeneralise())
    .addOption(objectOutput())
    .addHelpText('after', '\nExit status: 0 done; 1 the model or the log cannot be read; 2 misuse.')
    .action(async (source, given) => {
      const { extendCommand } = await import('./extend-command.ts')
      process.exitCode = await extendCommand(source, given)
    })
}
