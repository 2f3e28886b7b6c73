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

export const pathPattern = object('A path pattern: either its prefix and suffix, or the pattern itself.', {
  flags: bits('Bits of how prefix and suffix match.'),
  prefix: optional(text('How the path begins.')),
  suffix: optional(text('How the path ends, last byte first.')),
  glob: optional(text('The complete pattern. If it is set, prefix and suffix are ignored.')),
})

export const fileContent = object('A rule about files or programs.', {
  mode: mode(),
  permissions: bits('Bits of the accesses.'),
  pattern: pathPattern,
})

export const networkAddress = object('Addresses and ports.', {
  ip: optional(text('An address, pod-self or unspecified.')),
  cidr: optional(text('A CIDR block.')),
  port: optional(portNumber('A port, or the first port of a range.')),
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

export const ptraceContent = object('The ptrace rule.', {
  mode: mode(),
  permissions: optional(bits('Bits of the accesses.')),
  flags: optional(bits('Bits of how the other process matches.')),
})

export const mountContent = object('A rule about mounting.', {
  mode: mode(),
  mountFlags: bits('Flags of mount(2). At least one must be set.'),
  reverseMountflags: bits('Flags of mount(2). At least one must not be set.'),
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
  'The profiles. If the ArmorProfile has a `source`, agents compile the source and ignore these profiles, which only show the result.',
  {
    name: text('Name of the profiles.'),
    enforcer: text('Enforcers, as in the policy.'),
    mode: choice('Whether violations are refused (enforce) or allowed and reported (complain).', profileModes),
    appArmor: optional(text('The AppArmor profile.')),
    bpf: optional(bpfContent),
    seccomp: optional(text('The seccomp profile, OCI JSON.')),
  },
)

export const profileSource = object(
  'Source of the profiles. Each agent compiles it for its own kernel. `profile` shows the result, without some details.',
  {
    policy: text('The `spec.policy` of the policy, as JSON.'),
    model: optional(
      object('The model, if the policy uses one.', {
        appArmor: optional(text('The AppArmor profile.')),
        seccomp: optional(text('The seccomp profile, OCI JSON.')),
        bpf: optional(modelBpf),
      }),
    ),
  },
)

/** The object that a target names: one Service by name, or Services or Pods by label. */
export const egressTargetKinds = ['service', 'services', 'pods'] as const

export const egressTarget = object('A target of egress rules whose addresses the manager looks up.', {
  kind: choice('A service by its name, or services or pods by label.', egressTargetKinds),
  namespace: text('Namespace of the target; empty: all namespaces.'),
  name: optional(text('Name of the service.')),
  selector: optional(labelSelector('Services or pods by label.')),
})

export const egressGroup = object('Addresses with the same ports.', {
  addresses: list('IPv4 and IPv6 addresses.', text('An address.')),
  ports: optional(list('Ports. If this is missing, all ports of the rule.', portNumber('A port.'))),
})

export const egressAddresses = object('The current addresses of one target.', {
  target: text('The target, in words: `service default/kubernetes`.'),
  groups: list('Addresses by their ports.', egressGroup),
  omitted: optional(
    integer('Number of addresses that are left out because of a limit.', { minimum: 1, format: 'int32' }),
  ),
  leftOut: optional(choice('Why the manager does not look up the addresses of this target.', egressLeftOut)),
})

export const behaviorModeling = object('Whether to record, and for how long.', {
  enable: flag('Record what the workloads do.'),
  duration: integer('How long to record, in minutes.', { format: 'int64' }),
  since: optional(text('When the recording started, by the clock of the manager, RFC 3339.', { format: 'date-time' })),
})

export const armorProfileSpec = object('The profiles that every node must load.', {
  target: optional(target),
  profile,
  behaviorModeling,
  updateExistingWorkloads: flag('Whether matching workloads are restarted.'),
  source: optional(profileSource),
  egressTargets: optional(
    list('Targets of egress rules. The manager writes their addresses into `status.egress`.', egressTarget, {
      maxItems: 64,
    }),
  ),
})

export const armorProfileCondition = object('State of one node.', {
  type: text('Type of the condition.'),
  ...conditionFields,
  nodeName: text('Name of the node.'),
})

export const armorProfileStatus = object('State of the profile on the nodes.', {
  desiredNumberLoaded: integer('Number of nodes that must load the profile.', { format: 'int32' }),
  currentNumberLoaded: integer('Number of nodes that have loaded the profile.', { format: 'int32' }),
  conditions: optional(list('State of the nodes, and errors.', armorProfileCondition)),
  observedGeneration: optional(integer('The metadata.generation that this status describes.', { format: 'int64' })),
  egress: optional(
    list(
      'Addresses of `spec.egressTargets`. Nodes enforce them. They change without a new generation.',
      egressAddresses,
    ),
  ),
})

export const armorProfile = object('The compiled form of one policy. The manager writes it; do not edit it.', {
  ...typeMeta('ArmorProfile'),
  metadata: objectMeta,
  spec: armorProfileSpec,
  status: optional(armorProfileStatus),
})
