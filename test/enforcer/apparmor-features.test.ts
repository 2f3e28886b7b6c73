import { expect } from 'chai'
import { type NodeAppArmor, nodeAppArmor } from '../../src/enforcer/apparmor-features.ts'

const features = 'sys/kernel/security/apparmor/features'
const userns = { [`${features}/namespaces/mask`]: 'userns_create' }
const linux6_7 = { ...userns, [`${features}/io_uring/mask`]: 'sqpoll override_creds' }
const ubuntu = { ...linux6_7, [`${features}/ipc/posix_mqueue`]: 'create read write open delete setattr getattr' }
const abi = { 'etc/apparmor.d/abi/4.0': 'query {label {multi_transaction {yes\n}}}' }

const oldest: NodeAppArmor = { parser: [3, 0], userns: false, ioUring: false, mqueue: false }
const rows: [node: string, version: string | undefined, files: Record<string, string>, found: NodeAppArmor][] = [
  ['of Debian 12', 'AppArmor parser version 3.0.8', {}, oldest],
  ['of Debian 12 with a newer kernel', 'AppArmor parser version 3.0.8', linux6_7, oldest],
  [
    'of Debian 13',
    'AppArmor parser version 4.1.0\nCopyright',
    { ...linux6_7, ...abi },
    { parser: [4, 1], userns: true, ioUring: true, mqueue: false },
  ],
  [
    'of Ubuntu 24.04',
    'AppArmor parser version 4.0.1really4.0.1',
    { ...ubuntu, ...abi },
    { parser: [4, 0], userns: true, ioUring: true, mqueue: true },
  ],
  ['with a newer parser on an old kernel', 'AppArmor parser version 4.1.0', abi, { ...oldest, parser: [4, 1] }],
  [
    'whose kernel knows other kinds of namespaces alone',
    'AppArmor parser version 4.1.0',
    { ...abi, [`${features}/namespaces/mask`]: 'mntns_create' },
    { ...oldest, parser: [4, 1] },
  ],
  ['without a description of the newer ABI', 'AppArmor parser version 4.1.0', ubuntu, oldest],
  ['without a parser', undefined, { ...ubuntu, ...abi }, oldest],
]

describe('what AppArmor of a node can', () => {
  for (const [node, stdout, files, found] of rows)
    it(`is asked of parser and kernel on a node ${node}`, async () => {
      const root = { read: (path: string) => files[path] }
      const run = async () =>
        stdout === undefined ? { status: undefined, stderr: 'ENOENT' } : { status: 0, stderr: '', stdout }
      expect(await nodeAppArmor(root, run)).to.deep.equal(found)
    })
})
