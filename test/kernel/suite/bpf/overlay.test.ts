import { expect } from 'chai'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { Container, containerIdOf } from '../harness/container.ts'
import { compiled, policyOf } from '../harness/profiles.ts'
import { fillBpfMap } from '../harness/python.ts'
import { openEnforcer } from './enforcer.ts'

const name = 'overlaid'
const id = containerIdOf(name)
const policy = policyOf(name, 'enforced', { privileged: true, hardeningRules: ['disable-cap-all'] }, 'BPF')
const { profileName, enforcers } = compiled(policy)

describe('An overlay that a container is on', function () {
  this.timeout(600_000)
  let enforcer: BpfEnforcer
  let container: Container
  before(async () => {
    await output('containerd-up', [])
    enforcer = await openEnforcer()
    await enforcer.load(profileName, JSON.stringify(enforcers.BPF!.profile))
    container = await Container.start(name, { image: debianImage })
    expect((await container.run("grep ' / ' /proc/mounts")).text).to.match(/^overlay /)
    await enforcer.add({ id, profile: profileName })
    expect(await enforcer.find()).to.be.instanceOf(Map)
  })
  after(async () => {
    await container?.stop()
    await enforcer?.end()
  })

  const refused = (): Promise<{ status: number; text: string }> => container.run(['/probes/use-capability', 'net_raw'])

  const changes = [
    { what: 'a directory that the image has had', command: 'rmdir /srv && mkdir /srv && touch /srv/own' },
    { what: 'a file that the image has had', command: 'rm /etc/group && echo own > /etc/group' },
    { what: 'a directory under another name', command: 'mkdir /etc/mine && mv /etc/mine /etc/yours' },
    { what: 'a link to a file of the image', command: 'ln /etc/passwd /etc/passwd.own && chmod 600 /etc/passwd.own' },
  ]
  for (const { what, command } of changes)
    it(`makes ${what}, with capabilities that it has by itself, which no rule means`, async () => {
      expect((await refused()).text).to.contain('not permitted')
      const { status, text } = await container.run(command)
      expect({ status, text }).to.deep.equal({ status: 0, text: '' })
      expect((await refused()).text).to.contain('not permitted')
    })

  it('still makes files while the table of copies is full of the copies of others', async () => {
    const other = await Container.start('fills-copies', { image: debianImage, flags: ['--privileged'] })
    try {
      // The table has 4,096 entries.
      expect(await other.run(fillBpfMap('varmor_overlay_', 10_000))).to.deep.equal({ status: 0, text: '10000' })
    } finally {
      await other.stop()
    }
    const { status, text } = await container.run('rm /etc/issue && echo own > /etc/issue')
    expect({ status, text }).to.deep.equal({ status: 0, text: '' })
    expect((await refused()).text).to.contain('not permitted')
  })
})
