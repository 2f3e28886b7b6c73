import { type FieldError, join } from '../../api/field-error.ts'
import { ipEntities } from '../../api/schema/bpf-rules.ts'
import type { Destination, NetworkEgressRule, Port, Service } from '../../api/types.ts'
import type { Draft } from './draft.ts'
import { blocksOfAddress, blocksOfEntity } from './egress.ts'
import { parseAddress, parseBlock } from './ip-address.ts'
import type { Ports } from './port-set.ts'
import { verdictOf } from './raw-words.ts'

const ANYWHERE = ['0.0.0.0/0', '::/0']

/** Adds the egress rules at `path` to the draft, and their errors to `errors`. */
export function addRawEgress(draft: Draft, egress: NetworkEgressRule, path: string, errors: FieldError[]): void {
  for (const [i, rule] of (egress.toDestinations ?? []).entries()) {
    addDestination(draft, rule, join(join(path, 'toDestinations'), i), errors)
  }
  for (const [i, rule] of (egress.toServices ?? []).entries()) {
    addService(draft, rule, join(join(path, 'toServices'), i))
  }
  for (const [i, rule] of (egress.toPods ?? []).entries()) {
    const from = join(join(path, 'toPods'), i)
    const ports = readPorts(rule.ports ?? [], join(from, 'ports'), errors)
    const { namespace = '', podSelector: selector } = rule
    draft.references.push({
      ...verdictOf(rule.qualifiers, draft.verdict),
      from,
      kind: 'pods',
      namespace,
      selector,
      ports,
    })
  }
}

function readPorts(given: readonly Port[], path: string, errors: FieldError[]): Ports[] {
  return given.map(({ port, endPort }, i) => {
    const last = endPort === undefined || endPort === 0 ? port : endPort
    if (port < 1 || last < port || last > 65535) {
      const problem = 'a range of ports must begin at 1 or above, and cannot end below its beginning'
      errors.push({
        code: 'BAD_ADDRESS',
        path: join(path, i),
        given: { port, endPort },
        problem,
        allowed: '1 to 65535',
      })
    }
    return last === port ? { port } : { port, endPort: last }
  })
}

type Entity = (typeof ipEntities)[number]

function isEntity(text: string): text is Entity {
  return (ipEntities as readonly string[]).includes(text)
}

/** The blocks that a rule means; undefined after an error, if the rule names none. */
function blocksOf({ ip, cidr }: Destination, path: string, errors: FieldError[]): string[] | undefined {
  if (ip !== undefined && ip !== '') {
    if (isEntity(ip)) return blocksOfEntity(ip)
    if (parseAddress(ip) !== undefined) return blocksOfAddress(ip)
    errors.push(badAddress(join(path, 'ip'), ip, 'this is not an IP address'))
  } else if (cidr !== undefined && cidr !== '') {
    if (parseBlock(cidr) !== undefined) return blocksOfAddress(cidr)
    errors.push(badAddress(join(path, 'cidr'), cidr, 'this is not a CIDR block'))
  } else return ANYWHERE
  return undefined
}

function badAddress(path: string, given: string, problem: string): FieldError {
  return { code: 'BAD_ADDRESS', path, given, problem }
}

function addDestination(draft: Draft, rule: Destination, path: string, errors: FieldError[]): void {
  const blocks = blocksOf(rule, path, errors)
  const ports = readPorts(rule.ports ?? [], join(path, 'ports'), errors)
  if (blocks === undefined) return
  const verdict = verdictOf(rule.qualifiers, draft.verdict)
  const to = rule.ip || rule.cidr || 'anywhere'
  draft.destinations.push({ ...verdict, from: path, to, blocks, ports })
  if (to === 'pod-self') draft.references.push({ ...verdict, from: path, kind: 'pod-self', ports })
}

function addService(draft: Draft, rule: Service, path: string): void {
  const { namespace = '', name, serviceSelector: selector } = rule
  const common = { ...verdictOf(rule.qualifiers, draft.verdict), from: path, namespace, ports: [] }
  if (selector !== undefined) draft.references.push({ ...common, kind: 'services', selector })
  else draft.references.push({ ...common, kind: 'service', name: name ?? '' })
}
