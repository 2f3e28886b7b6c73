import { expect } from 'chai'
import { networkNamespace } from '../../../src/audit/source/network-namespace.ts'

const netns = (inode: number) => `net:[${inode}]`
const hostPid = { '/proc/self/ns/pid': 'pid:[4026531836]' }
const podPid = { '/proc/self/ns/pid': 'pid:[4026532300]' }

const rows: {
  where: string
  links: Record<string, string>
  files: string[]
  answer: ReturnType<typeof networkNamespace>
}[] = [
  {
    where: 'the host of Linux 6.18 and later, with /proc/sys hidden',
    links: { '/proc/thread-self/ns/net': netns(4026531833) },
    files: [],
    answer: 'initial',
  },
  {
    where: 'the host of an older kernel, whose number for it is not fixed',
    links: { '/proc/thread-self/ns/net': netns(4026531840), ...podPid },
    files: ['/proc/sys/net/core', '/proc/sys/net/core/netdev_budget'],
    answer: 'initial',
  },
  {
    where: 'a pod with a network of its own',
    links: { '/proc/thread-self/ns/net': netns(4026532245), ...podPid },
    files: ['/proc/sys/net/core', '/proc/sys/net/core/somaxconn'],
    answer: 'other',
  },
  {
    where: 'a pod with hostPID and a network of its own, with /proc/sys hidden',
    links: { '/proc/self/ns/net': netns(4026532245), '/proc/1/ns/net': netns(4026531840), ...hostPid },
    files: [],
    answer: 'other',
  },
  {
    where: 'a pod with hostPID and hostNetwork, with /proc/sys hidden',
    links: { '/proc/self/ns/net': netns(4026531840), '/proc/1/ns/net': netns(4026531840), ...hostPid },
    files: [],
    answer: 'initial',
  },
  {
    where: 'a pod whose process 1 is its own, with /proc/sys hidden',
    links: { '/proc/self/ns/net': netns(4026532245), '/proc/1/ns/net': netns(4026532245), ...podPid },
    files: [],
    answer: 'unknown',
  },
  { where: 'a place without /proc', links: {}, files: [], answer: 'unknown' },
]

describe('network namespace', () => {
  for (const { where, links, files, answer } of rows)
    it(`is ${answer} in ${where}`, () => {
      const proc = { exists: (path: string) => files.includes(path), link: (path: string) => links[path] ?? null }
      expect(networkNamespace(proc)).to.equal(answer)
    })
})
