import { expect } from 'chai'
import type { Manifest } from '../cluster/helm/helm.ts'
import { describeHelm } from './describe-helm.ts'

interface Pod {
  containers: { args: string[]; securityContext: Security; volumeMounts: { name: string; mountPath: string }[] }[]
  volumes: { name: string; hostPath?: { path: string; type: string } }[]
}

interface Security {
  privileged?: boolean
  allowPrivilegeEscalation?: boolean
  capabilities: { add: string[]; drop: string[] }
}

describeHelm(4, 'Agents of the chart', (helm) => {
  const rendered = (values: object): Promise<Manifest[]> => helm().template(values, '--kube-version', '1.37.2')
  const podOf = (manifests: readonly Manifest[]): Pod =>
    (manifests.find(({ kind }) => kind === 'DaemonSet')!.spec!['template'] as { spec: Pod }).spec
  const confinementOf = (manifests: readonly Manifest[]): string | undefined =>
    (
      manifests.find(({ metadata }) => metadata.name === 'varmor-agent-confinement') as
        | { data: { profile: string } }
        | undefined
    )?.data.profile
  const securityWith = async (securityContext: object): Promise<Security> =>
    podOf(await rendered({ agent: { securityContext } })).containers[0]!.securityContext

  for (const [log, folder, path] of [
    ['/var/log', '/var/log/varmor', '/var/log/varmor'],
    ['/data/log', '/var/log/varmor', '/data/log/varmor'],
    ['/data/log/', '/var/log/a/b', '/data/log/a/b'],
    ['/', '/var/log/varmor', '/varmor'],
    ['/data/log', '/data/varmor', '/data/varmor'],
    ['/data/log', '/var/logs/varmor', '/var/logs/varmor'],
  ] as const)
    it(`write ${folder} to ${path} of a node whose logs are in ${log}: the folder is made where it is mounted into`, async () => {
      const agent = { hostPaths: { log }, violations: { folder } }
      const { containers, volumes } = podOf(await rendered({ agent }))
      const { mountPath } = containers[0]!.volumeMounts.find(({ name }) => name === 'violations')!
      expect(mountPath).to.equal(folder)
      expect(containers[0]!.args).to.include(`--log=${folder}/violations.log`)
      const volume = volumes.find(({ name }) => name === 'violations')
      expect(volume!.hostPath).to.deep.equal({ path, type: 'DirectoryOrCreate' })
    })

  it('say nothing of escalation where they are privileged, which the API server refuses to hear', async () => {
    expect(await securityWith({})).to.include({ allowPrivilegeEscalation: false })
    const privileged = await securityWith({ privileged: true })
    expect(privileged).to.include({ privileged: true }).and.not.to.have.property('allowPrivilegeEscalation')
  })

  const without = 'DAC_READ_SEARCH'
  for (const { capabilities, adds = [], drops } of [
    { capabilities: null, drops: ['ALL'] },
    { capabilities: { add: null, drop: null }, drops: ['ALL'] },
    { capabilities: { add: ['SYS_ADMIN'] }, adds: ['SYS_ADMIN'], drops: ['ALL'] },
    { capabilities: { drop: ['NET_RAW'] }, drops: ['ALL', 'NET_RAW'] },
    { capabilities: { drop: ['ALL', 'NET_RAW'] }, drops: ['ALL', 'NET_RAW'] },
    { capabilities: { add: ['SYS_ADMIN'], drop: [without] }, adds: ['SYS_ADMIN'], drops: ['ALL', without] },
    // If both lists have ALL, runtimes drop all capabilities.
    { capabilities: { add: ['ALL'] }, adds: ['ALL'], drops: [] },
    { capabilities: { add: ['all'], drop: [without] }, adds: ['all'], drops: [without] },
  ])
    it(`add ${JSON.stringify(capabilities)} to what the chart has`, async () => {
      const own = await securityWith({})
      const { add, drop } = (await securityWith({ capabilities })).capabilities
      expect(add).to.deep.equal([...own.capabilities.add, ...adds])
      expect(drop).to.deep.equal(drops)
    })

  for (const [capability, line] of [
    ['SYS_ADMIN', '  capability sys_admin,'],
    ['ALL', '  capability,'],
    ['all', '  capability,'],
  ] as const)
    it(`have ${capability} in their own AppArmor profile as its language has it`, async () => {
      const manifests = await rendered({ agent: { securityContext: { capabilities: { add: [capability] } } } })
      const lines = confinementOf(manifests)!.split('\n')
      expect(lines).to.include(line).and.not.to.include('  capability all,')
    })

  for (const { values, isStrict, isConfined } of [
    { values: {}, isStrict: false, isConfined: true },
    { values: { agent: { strictStart: true } }, isStrict: true, isConfined: false },
    {
      values: { agent: { strictStart: true }, bpfLsmEnforcer: { enabled: false } },
      ...{ isStrict: false, isConfined: true },
    },
  ])
    it(`are ${isConfined ? '' : 'not '}in a profile of their own with ${JSON.stringify(values)}: strict start is of BPF`, async () => {
      const manifests = await rendered(values)
      expect(podOf(manifests).containers[0]!.args.includes('--strict-start')).to.equal(isStrict)
      expect(confinementOf(manifests) !== undefined).to.equal(isConfined)
    })
})
