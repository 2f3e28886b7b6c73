import { expect } from 'chai'
import { compilePolicy } from '../../src/profile/compile.ts'
import { load, needsParser } from './apparmor/loaded-profile.ts'

const policy = {
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name: 'disks', namespace: 'demo' },
  spec: {
    target: { kind: 'Deployment', name: 'web' },
    policy: {
      enforcer: 'AppArmorBPF',
      mode: 'EnhanceProtect',
      enhanceProtect: {
        privileged: true,
        hardeningRules: ['disallow-debug-disk-device', 'disallow-mount-disk-device'],
      },
    },
  },
}

function compiled(blockDevices?: string[]) {
  const result = compilePolicy(policy, blockDevices === undefined ? {} : { blockDevices })
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return { appArmor: result.value.enforcers.AppArmor!.profile, bpf: result.value.enforcers.BPF!.profile }
}

const odd = ['/dev/odd0', '/dev/odd0p1', '/dev/array/c0d0']

describe('the disks of a node', () => {
  it('are refused under names that only the node knows: opening them, and mounting them', function () {
    needsParser(this)
    const profile = load(compiled(odd).appArmor).get('varmor-demo-disks')!
    const without = load(compiled().appArmor).get('varmor-demo-disks')!
    for (const device of odd) {
      expect(profile.file(device).allow, device).to.match(/^[^rw]*$/)
      expect(without.file(device).allow, device).to.include('r')
      const mount = { point: '/mnt/', source: device, type: 'odd' }
      expect([profile.mount(mount), without.mount(mount)], device).to.deep.equal([false, true])
    }
    expect(profile.file('/dev/odd1').allow).to.include('r')
  })

  it('are refused as sources of mounts by BPF, which knows them by inode otherwise', () => {
    const sources = compiled(odd).bpf.mounts!.rules.map(({ source }) => source)
    expect(sources).to.include.members(odd)
    expect(compiled(odd).bpf.blockDevices).to.equal(compiled().bpf.blockDevices)
  })

  it('of usual names change nothing, nor does their order, nor what is no path of a device', () => {
    const usual = ['/dev/sda', '/dev/sda1', '/dev/nvme0n1p2', '/dev/dm-0', '/dev/loop17', '/dev/mapper/a']
    expect(compiled([...usual, '/dev/*', '/etc/passwd', '/dev/../x', '/dev/'])).to.deep.equal(compiled())
    expect(compiled([...odd].reverse())).to.deep.equal(compiled([...usual, ...odd, ...odd]))
  })
})
