import { egressLeftOut } from '../egress-left-out.ts'
import { modelBpf } from './behaviour.ts'
import { choice, flag, integer, list, object, optional, portNumber, text } from './build.ts'
import { conditionFields, labelSelector, objectMeta, typeMeta } from './common.ts'
import { target } from './policy.ts'

const bits = (description: string) => integer(description, { minimum: 0, format: 'int64' })
const mode = () => optional(bits('Bits of the mode: deny, audit.'))

export const capabilitiesContent = object('Capabilities to refuse.', {
  mode: mode(),
  capabilities: bits('Bit n stands for capability n of capabilities(7).'),
})

export const pathPattern = object('A path pattern, as its beginning and its end or as it was written.', {
  flags: bits('Bits of how prefix and suffix match.'),
  prefix: optional(text('How the path begins.')),
  suffix: optional(text('How the path ends, last byte first.')),
  glob: optional(text('The whole pattern as it was written; where it is given, prefix and suffix do not count.')),
})

export const fileContent = object('A rule about files or programs.', {
  mode: mode(),
  permissions: bits('Bits of the accesses.'),
  pattern: pathPattern,
})

export const networkAddress = object('Addresses and ports.', {
  ip: optional(text('An address, pod-self or unspecified.')),
  cidr: optional(text('A block of addresses.')),
  port: optional(portNumber('A port, or the first one of a range.')),
  endPort: optional(portNumber('The last port of the range.')),
  ports: optional(list('Single ports.', portNumber('A port.'))),
})

export const networkSocket = object('Sockets.', {
  domains: optional(bits('Bit n stands for address family n.')),
  types: optional(bits('Bit n stands for socket type n.')),
  protocols: optional(bits('Bit n stands for protocol n.')),
})

export const networkContent = object('A rule about the network.', {
  mode: mode(),
  flags: bits('Bits of how address and port match.'),
  socket: optional(networkSocket),
  address: optional(networkAddress),
})

export const ptraceContent = object('The rule about tracing.', {
  mode: mode(),
  permissions: optional(bits('Bits of the accesses.')),
  flags: optional(bits('Bits of how the other process matches.')),
})

export const mountContent = object('A rule about mounting.', {
  mode: mode(),
  mountFlags: bits('Flags of mount(2), of which one must be set.'),
  reverseMountflags: bits('Flags of mount(2), of which one must not be set.'),
  pattern: pathPattern,
  fstype: text('Type of the filesystem, or *.'),
})

export const bpfContent = object('Rules of the BPF enforcer.', {
  capabilities: optional(capabilitiesContent),
  files: optional(list('Rules about files.', fileContent)),
  processes: optional(list('Rules about programs.', fileContent)),
  networks: optional(list('Rules about the network.', networkContent)),
  ptrace: optional(ptraceContent),
  mounts: optional(list('Rules about mounting.', mountContent)),
})

export const profileModes = ['enforce', 'complain'] as const

export const profile = object(
  'The profiles. Where the ArmorProfile has a `source`, they are for reading: agents load what that compiles to.',
  {
    name: text('Name of the profiles.'),
    enforcer: text('Enforcers, as in the policy.'),
    mode: choice('Whether violations are refused or let pass.', profileModes),
    appArmor: optional(text('The AppArmor profile.')),
    bpf: optional(bpfContent),
    seccomp: optional(text('The seccomp profile, OCI JSON.')),
  },
)

export const profileSource = object(
  'What the profiles are made of. Each agent compiles it for its own kernel; what `profile` holds of it is for reading, and loses some.',
  {
    policy: text('The `spec.policy` of the policy, as JSON.'),
    model: optional(
      object('What behaviour modelling found, where the policy builds on it.', {
        appArmor: optional(text('The AppArmor profile.')),
        seccomp: optional(text('The seccomp profile, OCI JSON.')),
        bpf: optional(modelBpf),
      }),
    ),
  },
)

/** One Service; Services, or Pods, by label. */
export const egressTargetKinds = ['service', 'services', 'pods'] as const

export const egressTarget = object('Whose addresses rules about outgoing connections need.', {
  kind: choice('A service by its name, or services or pods by label.', egressTargetKinds),
  namespace: text('Where they are; empty for all namespaces.'),
  name: optional(text('Name of the service.')),
  selector: optional(labelSelector('Services or pods by label.')),
})

export const egressGroup = object('Addresses that are meant with the same ports.', {
  addresses: list('IPv4 and IPv6 addresses.', text('An address.')),
  ports: optional(list('Ports that are meant; without them, all that the rule is about.', portNumber('A port.'))),
})

export const egressAddresses = object('The addresses of one target, as they are now.', {
  target: text('The target, in words: `service default/kubernetes`.'),
  groups: list('Addresses by their ports.', egressGroup),
  omitted: optional(integer('Number of addresses for which there was no room.', { minimum: 1, format: 'int32' })),
  leftOut: optional(
    choice('Why none of its addresses is here, where the manager does not look for them.', egressLeftOut),
  ),
})

export const behaviorModeling = object('Whether to record, and for how long.', {
  enable: flag('Record what the workloads do.'),
  duration: integer('How long, in minutes.', { format: 'int64' }),
  since: optional(text('When it began by the clock of the manager, RFC 3339.', { format: 'date-time' })),
})

export const armorProfileSpec = object('What every node is to load.', {
  target: optional(target),
  profile,
  behaviorModeling,
  updateExistingWorkloads: flag('Whether matching workloads are restarted.'),
  source: optional(profileSource),
  egressTargets: optional(
    list('What the manager finds the addresses of; `status.egress` has them.', egressTarget, { maxItems: 64 }),
  ),
})

export const armorProfileCondition = object('How a node fared.', {
  type: text('What the condition is about.'),
  ...conditionFields,
  nodeName: text('Name of the node.'),
})

export const armorProfileStatus = object('What the nodes have loaded.', {
  desiredNumberLoaded: integer('Number of nodes that are to load the profile.', { format: 'int32' }),
  currentNumberLoaded: integer('Number of nodes that have loaded it.', { format: 'int32' }),
  conditions: optional(list('Nodes that failed, and why.', armorProfileCondition)),
  observedGeneration: optional(integer('The metadata.generation that this is about.', { format: 'int64' })),
  egress: optional(
    list(
      'Addresses of `spec.egressTargets`. They are part of what nodes enforce, and change without a new generation.',
      egressAddresses,
    ),
  ),
})

export const armorProfile = object('The compiled form of one policy. Made by the manager; not for people to edit.', {
  ...typeMeta('ArmorProfile'),
  metadata: objectMeta,
  spec: armorProfileSpec,
  status: optional(armorProfileStatus),
})
