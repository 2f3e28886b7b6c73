import { Buffer } from 'node:buffer'
import { newline } from '../../base/bytes.ts'
import { operationAndNameOf } from '../batch/apparmor-kind.ts'
import { partsOfKey } from '../batch/kind-table.ts'
import { eventKinds } from '../encode/event-head.ts'
import { type ContainerFields, containerKeys } from '../sink/agent-events.ts'
import { bounded } from './cut-text.ts'

/** The fields by which a digest groups the violations of a container. */
export interface ViolationKind {
  enforcer: string
  action: string
  profileName: string
  operation: string
  /** Path, capability, call, address or peer, as in the event. A long text is cut and ends with a hash. */
  object: string
}

type Fields = Readonly<Record<string, unknown>>

/** Parses a line of the decoder. `container` reads the container's fields. */
export function readLine(output: Uint8Array, start: number): { kind: ViolationKind; container(): ContainerFields } {
  const all = Buffer.from(output.buffer, output.byteOffset, output.length)
  const fields = JSON.parse(all.toString('utf8', start, all.indexOf(newline, start))) as Fields
  const enforcer = textOf(fields['enforcer'])
  const about = 'undecoded' in fields ? undecoded : aboutOf(enforcer, (fields['event'] ?? {}) as Fields)
  return {
    kind: { enforcer, action: textOf(fields['action']), profileName: bounded(textOf(fields['profileName'])), ...about },
    container: () => Object.fromEntries(containerKeys.map((key) => [key, textOf(fields[key])])) as ContainerFields,
  }
}

/** The kind of a key, if the key contains the whole kind. This takes a tenth of the time of readLine(). */
export function kindOfKey(key: string): ViolationKind | undefined {
  const { kind, profile, rest } = partsOfKey(key)
  const event = eventKinds[kind]
  if (event?.enforcer !== 'AppArmor') return undefined
  const found = operationAndNameOf(rest)
  if (found === undefined) return undefined
  const [operation, object] = [found.operation, found.name].map(bounded) as [string, string]
  return { ...event, profileName: bounded(profile), operation, object }
}

/** Operation and object of lines with an undecoded record. */
export const undecoded = { operation: 'undecoded', object: '' }

/** A text that identifies the kind: different kinds have different texts. */
export const identityOf = ({ enforcer, action, profileName, operation, object }: ViolationKind): string =>
  [enforcer, action, profileName, operation].map((text) => `${text.length} ${text}`).join('') + object

function aboutOf(enforcer: string, event: Fields): Pick<ViolationKind, 'operation' | 'object'> {
  if (enforcer === 'Seccomp') return { operation: 'syscall', object: bounded(textOf(event['syscall'])) }
  const words = enforcer === 'BPF' ? bpfWords(event) : appArmorWords(event)
  return {
    operation: bounded(textOf(event['operation'])),
    object: bounded(words.filter((word) => word !== '').join(' ')),
  }
}

/** The values of the fields by which apparmor-kind.ts distinguishes records. */
function appArmorWords(event: Fields): string[] {
  const text = (key: string): string => textOf(event[key])
  const end = text('netForeignPort') === '' ? 'Local' : 'Foreign'
  return [
    ...['name', 'name2', 'srcName', 'netFamily', 'netSockType', 'netProtocol'].map(text),
    endpoint(text(`net${end}Addr`), text(`net${end}Port`)),
    ...['dbusBus', 'dbusPath', 'dbusInterface', 'dbusMember', 'signal', 'peer', 'peerProfile', 'fsType'].map(text),
  ]
}

function bpfWords(event: Fields): string[] {
  const [socket, address] = [(event['socket'] ?? {}) as Fields, (event['address'] ?? {}) as Fields]
  return [
    ...['path', 'capability', 'command', 'type'].map((key) => textOf(event[key])),
    ...['domain', 'type', 'protocol'].map((key) => textOf(socket[key])),
    endpoint(textOf(address['ip']), textOf(address['port'])),
  ]
}

const endpoint = (address: string, port: string): string => (port === '' ? address : `${address}:${port}`)

/** The text of a value; empty for an absent value. libapparmor gives an absent number as 0. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' && value !== 0 ? String(value) : ''
}
