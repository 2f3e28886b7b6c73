import { integer, list, map, object, optional, portNumber, quantity, text, word } from './build.ts'
import { ports, subdomain } from './common.ts'

export const proxyQualifiers = { allow: [], deny: [], audit: [] } as const
export const defaultActions = { deny: [], allow: [] } as const

const qualifiers = () =>
  list(
    'What happens on a match: allow or deny, and audit to report it.',
    word('allow, deny or audit, in any case.', proxyQualifiers),
    { minItems: 1, maxItems: 8 },
  )

const description = () => text('Description of the rule.', { maxLength: 1024 })
const proxyPorts = () => optional(ports('Ports that the rule applies to; empty: all ports.'))

export const networkProxyEgressRule = object(
  'A rule about connections by address and port.',
  {
    qualifiers: qualifiers(),
    description: optional(description()),
    ip: optional(text('An IP address. Excludes `cidr`.', { maxLength: 64, check: 'ip', code: 'BAD_ADDRESS' })),
    cidr: optional(text('A CIDR block. Excludes `ip`.', { maxLength: 64, check: 'cidr', code: 'BAD_ADDRESS' })),
    ports: proxyPorts(),
  },
  { rulesAt: 'proxyEgressRule' },
)

const urlPath = { maxLength: 2048, pattern: '^/[^"\\\\\\x00-\\x20\\x7f]*$', form: 'a path that begins with /' }

export const httpPathMatch = object(
  'Match of the path of an HTTP request: either exact or prefix.',
  {
    exact: optional(text('The whole path.', urlPath)),
    prefix: optional(text('Prefix of the path.', urlPath)),
  },
  { rulesAt: 'httpPathMatch' },
)

// A domain name, `*.` and a domain name, or an address. A TLS server name or a Host header cannot contain other
// characters.
const hostForm = 'a domain such as api.example.com or *.example.com, or an IP address'
const host = (pattern: string) =>
  text('A domain such as api.example.com or *.example.com, or an IP address.', {
    maxLength: 253,
    pattern,
    form: hostForm,
  })

export const httpMatch = object('HTTP requests that the rule applies to. A missing field matches everything.', {
  hosts: optional(
    list(
      'Domains, from the TLS server name or the Host header; *: all domains.',
      host('^([*]|([*][.])?[0-9A-Za-z_.:\\[\\]-]+)$'),
      { maxItems: 256 },
    ),
  ),
  ports: proxyPorts(),
  paths: optional(
    list('Paths. The proxy sees paths only in plain HTTP and in connections to the domains of `mitm`.', httpPathMatch, {
      maxItems: 256,
    }),
  ),
  methods: optional(
    list(
      'Methods such as GET. The proxy sees methods only where it sees paths.',
      text('A method.', { maxLength: 32, pattern: '^[A-Za-z-]+$', form: 'an HTTP method' }),
      { maxItems: 64 },
    ),
  ),
})

export const networkProxyHttpRule = object(
  'A rule about HTTP requests.',
  { qualifiers: qualifiers(), description: optional(description()), match: httpMatch },
  { rulesAt: 'proxyHttpRule' },
)

export const networkProxyEgress = object('Rules about outgoing traffic. Deny rules have priority over allow rules.', {
  defaultAction: word('What happens to traffic that no rule matches: deny or allow, in any case.', defaultActions),
  rules: optional(list('Rules by address and port.', networkProxyEgressRule, { maxItems: 1024 })),
  httpRules: optional(list('Rules by HTTP request.', networkProxyHttpRule, { maxItems: 1024 })),
})

export const networkProxyRules = (description: string) => object(description, { egress: optional(networkProxyEgress) })

export const secretKeyRef = object('A key of a Secret in the namespace of the workload.', {
  name: text('Name of the Secret.', subdomain),
  key: text('Key in its data.', {
    maxLength: 253,
    pattern: '^[-._A-Za-z0-9]+$',
    form: 'letters, digits, -, _ and .',
  }),
})

export const headerAction = object(
  'A header to set. Exactly one of `value` and `secretRef` is given.',
  {
    name: text('Name of the header.', {
      maxLength: 256,
      pattern: "^[-0-9A-Za-z!#$%&'*+.^_`|~]+$",
      form: 'the name of an HTTP header',
    }),
    value: optional(
      text('Value of the header.', {
        maxLength: 16_384,
        pattern: '^[^\\x00-\\x08\\x0a-\\x1f\\x7f]*$',
        form: 'text without control characters',
      }),
    ),
    secretRef: optional(secretKeyRef),
  },
  { rulesAt: 'headerAction' },
)

const mitmDomain = () => host('^([*][.])?[0-9A-Za-z_.:-]+(/32|/128)?$')

export const headerMutation = object('Headers to set in requests to one domain.', {
  domain: mitmDomain(),
  headers: list('The headers.', headerAction, { minItems: 1, maxItems: 64 }),
})

export const mitmConfig = object(
  'Decrypts TLS connections to check the HTTP requests in them.',
  {
    domains: list('Domains whose connections the proxy decrypts. Other connections are not decrypted.', mitmDomain(), {
      minItems: 1,
      maxItems: 256,
      listType: 'set',
    }),
    headerMutations: optional(list('Headers to set, by domain.', headerMutation, { maxItems: 256 })),
  },
  { rulesAt: 'mitmConfig' },
)

const resourceNames = ['cpu', 'memory', 'ephemeral-storage'] as const

const resourceList = (description: string) =>
  map(description, quantity('A quantity such as 500m or 128Mi.'), {
    maxProperties: 16,
    keys: {
      pattern: '^(cpu|memory|ephemeral-storage|hugepages-[0-9A-Za-z]+|[^/]+/[^/]+)$',
      form: 'a resource: cpu, memory, ephemeral-storage, hugepages-… or one with a domain',
      names: resourceNames,
    },
  })

export const proxyResourceOverride = object('Resources of the proxy container that differ from the defaults.', {
  requests: optional(resourceList('Requests, by resource (cpu, memory).')),
  limits: optional(resourceList('Limits, by resource (cpu, memory); at least the request.')),
})

/** Defaults of optional fields. These values cannot change while a policy exists. */
export const proxyDefaults = { proxyUID: 1337, proxyPort: 15_001, proxyAdminPort: 15_000 } as const

export const networkProxyConfig = object(
  'The proxy container of the NetworkProxy enforcer.',
  {
    mitm: optional(mitmConfig),
    resources: optional(proxyResourceOverride),
    proxyUID: optional(
      integer('UID of the proxy process. It must differ from the UID of the application. Cannot be changed later.', {
        minimum: 0,
        maximum: 2_147_483_647,
        format: 'int64',
        default: proxyDefaults.proxyUID,
      }),
    ),
    proxyPort: optional(
      portNumber('Port where the proxy listens. Cannot be changed later.', { default: proxyDefaults.proxyPort }),
    ),
    proxyAdminPort: optional(
      portNumber('Port of the admin interface of the proxy. Cannot be changed later.', {
        default: proxyDefaults.proxyAdminPort,
      }),
    ),
  },
  { rulesAt: 'networkProxyConfig' },
)
