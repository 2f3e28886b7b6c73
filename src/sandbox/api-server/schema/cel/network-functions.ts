import { BlockList, isIP } from 'node:net'
import type { Environment } from '@marcbachmann/cel-js'
import { isAddress, isBlock } from '../../../../api/address.ts'

class IpAddress {
  readonly text: string
  constructor(text: string) {
    if (!isAddress(text))
      throw new Error(`IP Address ${JSON.stringify(text)} parse error during conversion from string`)
    this.text = text
  }
  get family(): 4 | 6 {
    return isIP(this.text) === 4 ? 4 : 6
  }
}

class Cidr {
  readonly address: IpAddress
  readonly length: number
  constructor(text: string) {
    if (!isBlock(text)) throw new Error('network address parse error during conversion from string')
    const [address = '', length] = text.split('/')
    this.address = new IpAddress(address)
    this.length = Number(length)
  }
  contains(ip: IpAddress): boolean {
    const family = this.address.family === 4 ? 'ipv4' : 'ipv6'
    const list = new BlockList()
    list.addSubnet(this.address.text, this.length, family)
    return ip.family === this.address.family && list.check(ip.text, family)
  }
  get text(): string {
    return `${this.address.text}/${this.length}`
  }
}

class Url {
  readonly url: URL
  readonly text: string
  constructor(text: string) {
    this.text = text
    if (!Url.isUrl(text))
      throw new Error(
        `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
      )
    this.url = text.startsWith('/') ? new URL(text, 'path://') : new URL(text)
  }
  static isUrl(text: string): boolean {
    return text.startsWith('/') || (/^[a-z][a-z0-9+.-]*:/i.test(text) && URL.canParse(text))
  }
  /** As written: the class of the platform leaves out ports that are the scheme's own. */
  get host(): string {
    return /^[^:/?#]+:\/\/(?:[^/?#]*@)?([^/?#]*)/.exec(this.text)?.[1] ?? ''
  }
  get port(): string {
    return /:(\d*)$/.exec(this.host)?.[1] ?? ''
  }
  get isPath(): boolean {
    return this.url.protocol === 'path:'
  }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
const inLoopback = (ip: IpAddress): boolean => loopback.check(ip.text, ip.family === 4 ? 'ipv4' : 'ipv6')

function registerAddresses(environment: Environment): Environment {
  return environment
    .registerType('IP', { ctor: IpAddress, fields: {} })
    .registerType('CIDR', { ctor: Cidr, fields: {} })
    .registerFunction('ip(string): IP', (text: string) => new IpAddress(text))
    .registerFunction('isIP(string): bool', (text: string) => isAddress(text))
    .registerFunction('IP.family(): int', (ip: IpAddress) => BigInt(ip.family))
    .registerFunction('IP.isLoopback(): bool', inLoopback)
    .registerFunction('IP.isUnspecified(): bool', (ip: IpAddress) => /^[0:.]+$/.test(ip.text))
    .registerFunction('string(IP): string', (ip: IpAddress) => ip.text)
    .registerFunction('cidr(string): CIDR', (text: string) => new Cidr(text))
    .registerFunction('isCIDR(string): bool', (text: string) => isBlock(text))
    .registerFunction('CIDR.ip(): IP', (block: Cidr) => block.address)
    .registerFunction('CIDR.prefixLength(): int', (block: Cidr) => BigInt(block.length))
    .registerFunction('CIDR.containsIP(string): bool', (block: Cidr, ip: string) => block.contains(new IpAddress(ip)))
    .registerFunction('CIDR.containsIP(IP): bool', (block: Cidr, ip: IpAddress) => block.contains(ip))
    .registerFunction('CIDR.containsCIDR(string): bool', (block: Cidr, other: string) => {
      const inner = new Cidr(other)
      return inner.length >= block.length && block.contains(inner.address)
    })
    .registerFunction('string(CIDR): string', (block: Cidr) => block.text)
}

/** Addresses, blocks and URLs as in Kubernetes' CEL. */
export function registerNetworkFunctions(environment: Environment): Environment {
  return registerAddresses(environment)
    .registerType('URL', { ctor: Url, fields: {} })
    .registerFunction('url(string): URL', (text: string) => new Url(text))
    .registerFunction('isURL(string): bool', (text: string) => Url.isUrl(text))
    .registerFunction('URL.getScheme(): string', ({ url, isPath }: Url) => (isPath ? '' : url.protocol.slice(0, -1)))
    .registerFunction('URL.getHost(): string', (url: Url) => url.host)
    .registerFunction('URL.getHostname(): string', ({ url, isPath }: Url) =>
      isPath ? '' : url.hostname.replace(/^\[|\]$/g, ''),
    )
    .registerFunction('URL.getPort(): string', (url: Url) => url.port)
    .registerFunction('URL.getEscapedPath(): string', ({ url }: Url) => url.pathname)
    .registerFunction('URL.getQuery(): map<string, list<string>>', ({ url }: Url) =>
      Object.fromEntries([...new Set(url.searchParams.keys())].map((name) => [name, url.searchParams.getAll(name)])),
    )
}
