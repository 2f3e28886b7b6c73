import { profile } from './armor-profile.ts'
import { choice, flag, integer, list, object, optional, portNumber, text } from './build.ts'
import { conditionFields, objectMeta, typeMeta } from './common.ts'

const names = (description: string, each: string) => list(description, text(each))
const permissions = () => names('Accesses that were seen.', 'An access.')

export const modelFile = object('A file that was used.', {
  path: text('Path of the file, or a pattern for several: see oldPath.'),
  owner: optional(flag('Only by its owner.')),
  permissions: permissions(),
  oldPath: optional(text('Where path is a pattern: one of the files that it stands for.')),
})

export const modelSocket = object('A socket that was made.', {
  domain: optional(text('Address family.')),
  type: optional(text('Socket type.')),
  protocol: optional(text('Protocol.')),
})

export const modelAddress = object('An address that was connected to.', {
  ip: text('The address.'),
  ports: list('The ports.', portNumber('A port.')),
})

export const modelNetwork = object('Use of the network.', {
  sockets: optional(list('Sockets.', modelSocket)),
  egresses: optional(list('Connections.', modelAddress)),
})

export const modelPtrace = object('Tracing.', {
  peer: optional(text('The other process.')),
  permissions: permissions(),
  external: optional(flag('The other process is outside the container.')),
})

export const modelSignal = object('Signals.', {
  peer: text('The other process.'),
  permissions: permissions(),
  signals: names('Signals.', 'A signal.'),
})

export const modelAppArmor = object('What AppArmor saw.', {
  profiles: optional(names('Profiles that were entered.', 'A profile.')),
  executions: optional(names('Programs that were run.', 'A path.')),
  files: optional(list('Files.', modelFile)),
  capabilities: optional(names('Capabilities.', 'A capability.')),
  networks: optional(modelNetwork),
  ptraces: optional(list('Tracing.', modelPtrace)),
  signals: optional(list('Signals.', modelSignal)),
  unhandled: optional(names('Records that no rule could be made of.', 'A record.')),
})

export const modelMount = object('A mount.', {
  path: text('What was mounted.'),
  type: optional(text('Type of the filesystem.')),
  flags: optional(names('Flags.', 'A flag.')),
})

export const modelBpf = object('What BPF saw.', {
  executions: optional(names('Programs that were run.', 'A path.')),
  files: optional(list('Files.', modelFile)),
  capabilities: optional(names('Capabilities.', 'A capability.')),
  network: optional(modelNetwork),
  ptraces: optional(list('Tracing.', modelPtrace)),
  mounts: optional(list('Mounts.', modelMount)),
})

export const modelSeccomp = object('What Seccomp saw.', {
  syscalls: optional(names('Syscalls.', 'A syscall.')),
})

export const dynamicResult = object('What was recorded while the workloads ran.', {
  appArmor: optional(modelAppArmor),
  bpf: optional(modelBpf),
  seccomp: optional(modelSeccomp),
})

export const staticResult = object('What was found without running them.', {})

export const storageTypes = ['CRDInternal', 'LocalDisk', 'PV/PVC'] as const

export const armorProfileModelData = object('What was recorded, and the profiles made of it.', {
  dynamicResult: optional(dynamicResult),
  staticResult: optional(staticResult),
  profile: optional(profile),
})

export const armorProfileModelCondition = object('How a node fared.', {
  type: text('What the condition is about.'),
  ...conditionFields,
  nodeName: text('Name of the node.'),
})

export const armorProfileModelStatus = object('How far the recording has come.', {
  desiredNumber: optional(integer('Number of nodes that are to send results.', { format: 'int32' })),
  completedNumber: optional(integer('Number of nodes that have sent them.', { format: 'int32' })),
  ready: flag('The profiles are there.'),
  conditions: optional(list('Nodes that failed, and why.', armorProfileModelCondition)),
})

export const armorProfileModel = object('The result of behaviour modelling.', {
  ...typeMeta('ArmorProfileModel'),
  metadata: objectMeta,
  storageType: optional(
    choice('Where the data is: in this object (CRDInternal) or in a file of the manager (LocalDisk).', storageTypes),
  ),
  data: armorProfileModelData,
  status: optional(armorProfileModelStatus),
})
