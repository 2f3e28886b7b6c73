import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { nodeFeatures } from '../../src/enforcer/features.ts'
import { nodeRoot } from '../../src/enforcer/node-root.ts'
import { openLoaders } from '../../src/enforcer/open-loaders.ts'
import { thrownBy } from './loader-contract.ts'

const enabled = 'sys/module/apparmor/parameters/enabled'
const profiles = 'sys/kernel/security/apparmor/profiles'
const lsm = 'sys/kernel/security/lsm'
const actions = 'proc/sys/kernel/seccomp/actions_avail'
const btf = 'sys/kernel/btf/vmlinux'
const lockdown = 'sys/kernel/security/lockdown'
const all = 'kill_process kill_thread trap errno user_notif trace log allow\n'

const rows: [
  node: string,
  files: Record<string, string>,
  absent: [AppArmor: RegExp | undefined, BPF: RegExp | undefined, Seccomp: RegExp | undefined],
][] = [
  [
    'has all',
    { [enabled]: 'Y\n', [profiles]: '', [lsm]: 'lockdown,capability,apparmor,bpf', [btf]: 'types', [actions]: all },
    [undefined, undefined, undefined],
  ],
  ['has nothing', {}, [/no AppArmor/, /cannot be read/, /no seccomp filters/]],
  ['has AppArmor switched off', { [enabled]: 'N\n', [actions]: all }, [/apparmor=1/, /cannot be read/, undefined]],
  [
    'hides securityfs from the agent',
    { [enabled]: 'Y\n', [actions]: all },
    [/mount securityfs/, /mount securityfs/, undefined],
  ],
  [
    'has BPF without its security module',
    { [lsm]: 'capability,apparmor', [actions]: all },
    [/no AppArmor/, /capability,apparmor.*lsm=/, undefined],
  ],
  [
    'has a module with a like name',
    { [lsm]: 'capability,bpfilter', [actions]: all },
    [/no AppArmor/, /bpfilter/, undefined],
  ],
  [
    'has no BTF type information',
    { [lsm]: 'bpf', [actions]: all },
    [/no AppArmor/, /CONFIG_DEBUG_INFO_BTF/, undefined],
  ],
  [
    'kernel lockdown is at confidentiality',
    { [lsm]: 'bpf', [btf]: 'types', [lockdown]: 'none integrity [confidentiality]', [actions]: all },
    [/no AppArmor/, /lockdown=integrity/, undefined],
  ],
  [
    'is locked down a little',
    { [lsm]: 'bpf', [btf]: 'types', [lockdown]: 'none [integrity] confidentiality', [actions]: all },
    [/no AppArmor/, undefined, undefined],
  ],
  [
    'cannot log by seccomp',
    { [actions]: 'kill_process errno allow' },
    [/no AppArmor/, /cannot be read/, /actions log/],
  ],
]

describe('what a node can enforce', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'varmor-features-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  for (const [node, files, [appArmor, bpf, seccomp]] of rows)
    it(`is found on one that ${node}`, () => {
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(root, path)), { recursive: true })
        writeFileSync(join(root, path), content)
      }
      const features = nodeFeatures(nodeRoot(root))
      for (const [found, wanted] of [
        [features.AppArmor, appArmor],
        [features.BPF, bpf],
        [features.Seccomp, seccomp],
      ] as const)
        if (wanted === undefined) expect(found).to.equal(undefined)
        else expect(found).to.match(wanted)
    })

  it('what it cannot is said with each profile, and unloading is no error', async () => {
    const { AppArmor, BPF, Seccomp } = await openLoaders(nodeFeatures(nodeRoot(root)))
    for (const [loader, reason] of [
      [AppArmor, /no AppArmor/],
      [BPF, /lsm cannot be read/],
      [Seccomp, /no seccomp/],
    ] as const) {
      const error = await thrownBy(loader.load('varmor-demo-web', '{}'))
      expect(error).to.include({ code: 'FEATURE_ABSENT', retryable: false })
      expect(error.reason).to.match(reason)
      await loader.unload('varmor-demo-web')
      expect([...(await loader.list())]).to.deep.equal([])
    }
  })
})
