import { Behaviour } from '../behaviour/behaviour.ts'

type Fields = Readonly<Record<string, unknown>>

/** A fact for a model, from a line of violations.log. The function adds this fact to a behaviour. */
export type Fact = (behaviour: Behaviour) => void

const text = (fields: Fields, key: string): string => {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined
  return typeof value === 'string' ? value : ''
}

function texts(fields: Fields, key: string): string[] {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function fields(of: Fields, key: string): Fields {
  const value = Object.hasOwn(of, key) ? of[key] : undefined
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

/** The mask of an AppArmor record: letters for files, and a word for ptrace and signals. */
const maskOf = (event: Fields): string => text(event, 'deniedMask') || text(event, 'requestedMask')

function fileOfAppArmor(event: Fields): Fact | undefined {
  const path = text(event, 'name')
  const letters = maskOf(event)
  if (!path.startsWith('/') || letters === '') return undefined
  // As in upstream, the owner used the file if both ids are present and equal.
  const owner = typeof event['ouid'] === 'number' && event['ouid'] === event['fsuid'] && event['ouid'] < 2 ** 32
  const permissions = [...letters].filter((letter) => 'mrwalkcd'.includes(letter))
  if (permissions.length === 0) return undefined
  return (behaviour) => behaviour.addFile('appArmor', { path, permissions, owner })
}

function ofAppArmor(event: Fields): Fact | undefined {
  const operation = text(event, 'operation')
  const peer = text(event, 'peer')
  const permissions = maskOf(event).split(' ').filter(Boolean)
  if (operation === 'exec') return execution('appArmor', text(event, 'name'))
  if (operation === 'capable') return (behaviour) => behaviour.addCapability('appArmor', text(event, 'name'))
  if (operation === 'ptrace') return (behaviour) => behaviour.addPtrace('appArmor', { peer, permissions })
  if (operation === 'signal') {
    return (behaviour) => behaviour.addSignal({ peer, permissions, signals: [text(event, 'signal')] })
  }
  const domain = text(event, 'netFamily')
  if (domain === '') return fileOfAppArmor(event)
  const [type, protocol] = [text(event, 'netSockType'), text(event, 'netProtocol')]
  return (behaviour) => behaviour.addSocket('appArmor', { domain, type, protocol })
}

function execution(recorder: 'appArmor' | 'bpf', path: string): Fact | undefined {
  return path.startsWith('/') ? (behaviour) => behaviour.addExecution(recorder, path) : undefined
}

const ofBpf: Readonly<Record<string, (event: Fields) => Fact | undefined>> = {
  Capability: (event) => (behaviour) => behaviour.addCapability('bpf', text(event, 'capability')),
  Bprm: (event) => execution('bpf', text(event, 'path')),
  File(event) {
    const [path, permissions] = [text(event, 'path'), texts(event, 'permissions')]
    return path.startsWith('/') ? (behaviour) => behaviour.addFile('bpf', { path, permissions }) : undefined
  },
  Network(event) {
    const [socket, address] = [fields(event, 'socket'), fields(event, 'address')]
    const [ip, port] = [text(address, 'ip'), address['port']]
    if (ip !== '' && typeof port === 'number') return (behaviour) => behaviour.addEgress('bpf', ip, port)
    const [domain, type, protocol] = [text(socket, 'domain'), text(socket, 'type'), text(socket, 'protocol')]
    return domain === '' ? undefined : (behaviour) => behaviour.addSocket('bpf', { domain, type, protocol })
  },
  Ptrace(event) {
    const permissions = text(event, 'permission').split(' ').filter(Boolean)
    return (behaviour) => behaviour.addPtrace('bpf', { permissions, external: event['external'] === true })
  },
  Mount(event) {
    const [path, type, flags] = [text(event, 'path'), text(event, 'type'), texts(event, 'flags')]
    return (behaviour) => behaviour.addMount({ path, type, flags })
  },
}

function ofSeccomp(event: Fields): Fact | undefined {
  const name = text(event, 'syscall')
  return name === '' || name.startsWith('unknown') ? undefined : (behaviour) => behaviour.addSyscall(name)
}

/** The fact that a model needs to allow this event; undefined if no fact can allow the event. */
export function factOf(enforcer: string, event: Fields): Fact | undefined {
  if (enforcer === 'AppArmor') return ofAppArmor(event)
  if (enforcer === 'Seccomp') return ofSeccomp(event)
  const operation = text(event, 'operation')
  return enforcer === 'BPF' && Object.hasOwn(ofBpf, operation) ? ofBpf[operation]!(event) : undefined
}

/** A behaviour with only this fact. */
export function alone(fact: Fact): Behaviour {
  const behaviour = new Behaviour()
  fact(behaviour)
  return behaviour
}
