import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { interfaceAddresses, localAddresses, podAddresses } from '../../../src/agent/containers/pod-addresses.ts'

const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.244.1.0/24 2 0 2
        |-- 10.244.1.0
           /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 10.244.1.0/24 2 0 2
        |-- 10.244.1.17
           /32 host LOCAL
        |-- 10.244.1.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     |-- 192.168.7.2
        /32 host LOCAL
`
const interfaces = `00000000000000000000000000000001 01 80 10 80       lo
fd000000000000000000000000000011 02 40 00 80     eth0
fe80000000000000a8bbccfffe000001 02 40 20 80     eth0
`

describe('the addresses of a pod', () => {
  it('are those that are local to its network, without loopback', () => {
    // The main and the local table are one trie unless routing rules exist.
    expect(localAddresses(trie + trie)).to.deep.equal(['10.244.1.17', '192.168.7.2'])
    const [first, second, ...rest] = interfaceAddresses(interfaces)
    expect([first, second]).to.deep.equal([
      'fd00:0000:0000:0000:0000:0000:0000:0011',
      'fe80:0000:0000:0000:a8bb:ccff:fe00:0001',
    ])
    expect(rest).to.deep.equal([])
    expect([localAddresses(''), interfaceAddresses('')]).to.deep.equal([[], []])
  })

  describe('read from /proc', () => {
    let root: string
    const process = (pid: number, files: Record<string, string> = {}): void => {
      const folder = join(root, 'proc', String(pid))
      mkdirSync(join(folder, 'net'), { recursive: true })
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'net', name), text)
    }
    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), 'varmor-proc-'))
      process(1, { fib_trie: trie, if_inet6: interfaces })
    })
    afterEach(() => rmSync(root, { recursive: true }))

    it('are of both families, and of IPv4 alone where the kernel has no IPv6', async () => {
      process(7, { fib_trie: trie, if_inet6: interfaces })
      process(8, { fib_trie: trie })
      expect(await podAddresses(root)(7)).to.have.length(4)
      expect(await podAddresses(root)(8)).to.deep.equal(['10.244.1.17', '192.168.7.2'])
    })

    it('are none where the container has filled its tables before them (limit)', async () => {
      const filler = Array.from(
        { length: 12_000 },
        (_, i) => `     |-- 10.${i >> 8}.${i & 255}.0\n        /24 link UNICAST\n`,
      )
      process(7, { fib_trie: `Main:\n${filler.join('')}${trie}`, if_inet6: '' })
      expect(await podAddresses(root)(7)).to.deep.equal([])
    })

    it("are none in the node's own network, and none of a process that is gone", async () => {
      process(9)
      linkSync(join(root, 'proc/1/net/fib_trie'), join(root, 'proc/9/net/fib_trie'))
      expect(await podAddresses(root)(9)).to.equal(undefined)
      expect(await podAddresses(root)(10)).to.equal(undefined)
    })
  })
})
