import { socketFamilies, socketTypeNumbers } from '../linux-sockets.ts'
import { profileType } from './apparmor.ts'
import { modelBpf } from './behaviour.ts'
import { flag, list, object, optional, text, word } from './build.ts'
import { dnsLabel, labelSelector, ports, qualifiers } from './common.ts'
import type { Vocabulary } from './node.ts'

const namesWithout = (names: string): Vocabulary => Object.fromEntries(names.split(/\s+/).map((name) => [name, []]))

export const filePermissions = {
  all: ['*'],
  read: ['r'],
  write: ['w'],
  // Upstream's enforcer accepts `x`, but upstream's documentation says `e`, so both words are accepted.
  exec: ['x', 'e'],
  append: ['a'],
} as const satisfies Vocabulary

export const ptracePermissions = {
  all: ['*'],
  trace: [],
  traceby: [],
  read: [],
  readby: [],
} as const satisfies Vocabulary

/** Families that rules cannot name: a socket cannot have AF_UNSPEC, and Linux 6.1 removed AF_DECnet. */
const unnamed: readonly string[] = ['unspec', 'decnet']

/** Socket families by the names of socket(2), in lower case without AF_. */
export const socketDomains: Vocabulary = {
  all: ['*'],
  ...Object.fromEntries(socketFamilies.filter((name) => !unnamed.includes(name)).map((name) => [name, []])),
}

export const socketTypes: Vocabulary = { all: ['*'], ...namesWithout(Object.keys(socketTypeNumbers).join(' ')) }

export const socketProtocols: Vocabulary = { all: ['*'], ...namesWithout('icmp tcp udp') }

/**
 * Mount flags by the names of apparmor.d(5), and `umount` for umount(2). The short form `R` means rbind, and `r` means
 * ro.
 */
export const mountFlags: Vocabulary = {
  all: ['*'],
  ro: ['r', 'read-only'],
  rw: ['w'],
  ...namesWithout(
    'suid nosuid dev nodev exec noexec sync async mand nomand dirsync atime noatime diratime nodiratime silent loud ' +
      'relatime norelatime iversion noiversion strictatime nostrictatime remount',
  ),
  bind: ['B'],
  move: ['M'],
  rbind: ['R'],
  'make-unbindable': ['unbindable'],
  'make-private': ['private'],
  'make-slave': ['slave'],
  'make-shared': ['shared'],
  'make-runbindable': ['runbindable'],
  'make-rprivate': ['rprivate'],
  'make-rslave': ['rslave'],
  'make-rshared': ['rshared'],
  umount: [],
}

const pattern = (description: string) => text(description, { minLength: 1, maxLength: 4096, maxBytes: 4096 })

export const fileRule = object('A rule about files or programs.', {
  qualifiers: optional(qualifiers()),
  pattern: pattern('Path pattern: `*` matches any text within one path component, `**` any text; at most 4,096 bytes.'),
  permissions: list(
    'Accesses that the rule applies to.',
    word('all (*), read (r), write (w), exec (x) or append (a), in any case.', filePermissions),
    {
      minItems: 1,
      maxItems: 16,
    },
  ),
})

const namespace = (what: string) => text(`Namespace of the ${what}; empty: all namespaces.`, dnsLabel('emptyToo'))

export const service = object(
  'Services and their endpoints.',
  {
    qualifiers: optional(qualifiers()),
    namespace: optional(namespace('services')),
    name: optional(text('Name of one service; needs `namespace`, excludes `serviceSelector`.', dnsLabel('emptyToo'))),
    serviceSelector: optional(labelSelector('Services by label; excludes `name`.')),
  },
  { rulesAt: 'service' },
)

export const pod = object('Pods.', {
  qualifiers: optional(qualifiers()),
  namespace: optional(namespace('pods')),
  podSelector: labelSelector('Pods by label.'),
  ports: optional(ports('Ports that the rule applies to; empty: all ports.')),
})

/** Words that the field `ip` accepts instead of an address. */
export const ipEntities = ['pod-self', 'unspecified', 'localhost'] as const

export const destination = object(
  'An address or a CIDR block.',
  {
    qualifiers: optional(qualifiers()),
    ip: optional(
      text(
        'An IPv4 or IPv6 address, or pod-self (the addresses of the pod), unspecified (0.0.0.0 and ::) or localhost (127.0.0.0/8, ::1, 0.0.0.0 and ::). Excludes `cidr`.',
        { maxLength: 64, check: 'ip-or-entity', code: 'BAD_ADDRESS' },
      ),
    ),
    cidr: optional(
      text('A CIDR block such as 10.0.0.0/8. Excludes `ip`.', {
        maxLength: 64,
        check: 'cidr',
        code: 'BAD_ADDRESS',
      }),
    ),
    ports: optional(ports('Ports that the rule applies to; empty: all ports.')),
  },
  { rulesAt: 'destination' },
)

export const networkEgressRule = object(
  'Rules about outgoing connections. Each entry of each list is a rule by itself.',
  {
    toDestinations: optional(list('Addresses.', destination, { maxItems: 1024 })),
    toServices: optional(list('Services and their endpoints.', service, { maxItems: 1024 })),
    toPods: optional(list('Pods.', pod, { maxItems: 1024 })),
  },
)

export const networkSocketRule = object(
  'A rule about creating sockets. A missing field matches everything.',
  {
    qualifiers: optional(qualifiers()),
    domains: optional(
      list('Address families, in any case.', word('A family such as inet, or all (*).', socketDomains), {
        maxItems: 64,
      }),
    ),
    types: optional(
      list('Socket types, in any case. Excludes `protocols`.', word('A type such as raw, or all (*).', socketTypes), {
        maxItems: 16,
      }),
    ),
    protocols: optional(
      list('Protocols, in any case. Excludes `types`.', word('icmp, tcp, udp or all (*).', socketProtocols), {
        maxItems: 16,
      }),
    ),
  },
  { rulesAt: 'networkSocketRule' },
)

export const networkRule = object('Rules about the network.', {
  sockets: optional(list('Rules about creating sockets.', networkSocketRule, { maxItems: 256 })),
  egress: optional(networkEgressRule),
})

export const ptraceRule = object('A rule about tracing and reading other processes (ptrace).', {
  qualifiers: optional(qualifiers()),
  strictMode: optional(
    flag('true: the rule also applies between processes of the same container. false: it does not.', {
      default: false,
    }),
  ),
  permissions: list(
    'Accesses: trace or read other processes, or be traced (traceby) or read (readby) by other processes.',
    word('all (*), trace, traceby, read or readby, in any case.', ptracePermissions),
    { minItems: 1, maxItems: 16 },
  ),
})

export const mountRule = object(
  'A rule about mounting. It matters only for privileged containers, because other containers cannot mount.',
  {
    qualifiers: optional(qualifiers()),
    sourcePattern: pattern(
      'Path pattern of the source that is mounted or moved, or of the target that is unmounted; at most 4,096 bytes.',
    ),
    fstype: text('Type of the filesystem, at most 15 bytes, or * for any.', {
      minLength: 1,
      maxLength: 15,
      maxBytes: 15,
    }),
    flags: list(
      'Mount flags, by the names of apparmor.d(5), and umount.',
      word('A flag such as ro, bind or all (*).', mountFlags),
      {
        minItems: 1,
        maxItems: 64,
      },
    ),
  },
)

export const bpfRawRules = object('Rules of your own for the BPF enforcer.', {
  files: optional(list('Rules about files.', fileRule, { maxItems: 10_000 })),
  processes: optional(list('Rules about running programs.', fileRule, { maxItems: 10_000 })),
  network: optional(networkRule),
  ptrace: optional(ptraceRule),
  mounts: optional(list('Rules about mounting.', mountRule, { maxItems: 1024 })),
})

/** The profile of the DefenseInDepth mode. */
export const bpfProfile = object(
  'What the BPF enforcer allows in the DefenseInDepth mode. It refuses and reports everything else.',
  {
    profileType: profileType(
      'Source of the list: the model and `allow` together (BehaviorModel), or only `allow` (Custom).',
    ),
    allow: optional(modelBpf),
  },
  { rulesAt: 'bpfProfile' },
)
