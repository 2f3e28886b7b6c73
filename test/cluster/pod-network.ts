import { randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { output } from './command.ts'
import { bridgePrefix, type RunFolder } from './run-folder.ts'

/** One node's part of the pod network. */
export interface NodeNetwork {
  bridge: string
  /** Address of the node, which is also the gateway of its pods. */
  address: string
  /** In CIDR notation. */
  subnet: string
}

const nothing = 0

/**
 * Second octets of 10.0.0.0/8 that an address or a route of this machine uses. Format: /proc/net/route, little-endian
 * hex.
 */
function takenOctets(): Set<number> {
  const taken = new Set<number>()
  const note = (first: number, second: number): void => {
    if (first === 10) taken.add(second)
  }
  for (const { address, family } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
    const [first, second] = address.split('.').map(Number)
    if (family === 'IPv4') note(first!, second!)
  }
  for (const line of readFileSync('/proc/net/route', 'utf8').trim().split('\n').slice(1)) {
    const bytes = Buffer.from(line.split('\t')[1] ?? '00000000', 'hex')
    note(bytes[3] ?? nothing, bytes[2] ?? nothing)
  }
  return taken
}

/** Bridges of this machine, one per node. Each has a /24 of a network that no other program here uses. */
export class PodNetwork {
  readonly cidr: string
  #folder: RunFolder
  #octet: number
  #nodes = 0

  constructor(folder: RunFolder) {
    const taken = takenOctets()
    // 10.96.0.0/16 is for Services; users often choose low numbers.
    const free = Array.from({ length: 128 }, (_, n) => 100 + n).filter((octet) => !taken.has(octet))
    if (free.length === 0)
      throw new Error('every network from 10.100.0.0/16 to 10.227.0.0/16 is in use on this machine')
    this.#folder = folder
    this.#octet = free[randomInt(free.length)]!
    this.cidr = `10.${this.#octet}.0.0/16`
  }

  /** Creates the bridge of one more node. */
  async addNode(): Promise<NodeNetwork> {
    this.#nodes += 1
    const bridge = `${bridgePrefix(this.#folder)}n${this.#nodes}`
    const address = `10.${this.#octet}.${this.#nodes}.1`
    // A bridge without a fixed hardware address has a pod's address, and changes it when this pod ends; then no pod
    // reaches the bridge for half a minute.
    const hardware = `0a:58:0a:${[this.#octet, this.#nodes, 1].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
    await output('ip', ['link', 'add', bridge, 'address', hardware, 'type', 'bridge'])
    await output('ip', ['address', 'add', `${address}/24`, 'dev', bridge])
    await output('ip', ['link', 'set', bridge, 'up'])
    // Pods of one node reach pods of another node only with forwarding.
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
    return { bridge, address, subnet: `10.${this.#octet}.${this.#nodes}.0/24` }
  }
}
