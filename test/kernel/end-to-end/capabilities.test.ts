import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { printSteps } from '../../cluster/steps.ts'
import { eventually } from '../../cluster/wait.ts'
import { Guest } from '../guest/guest.ts'
import { chosenKernels, type KernelName } from '../guest/kernels.ts'
import { missingForGuest } from '../guest/requirements.ts'
import { packageDisk, packageInGuest } from './standalone-disk.ts'

/** The test takes minutes, and docs/security.md has its results, so it runs only on request. */
const asked = process.env['VARMOR_CAPABILITIES'] !== undefined
const timeout = 900_000

const template = readFileSync(
  join(import.meta.dirname, '../../../deploy/helm/varmor/templates/agent/_capabilities.tpl'),
  'utf8',
)
const all = Array.from(template.matchAll(/^- ([A-Z_]+)$/gm), ([, name]) => name!)

/** The agent's message if it lacks the capability; undefined if this node does not need the capability. */
const without: Record<string, RegExp | undefined> = {
  SYS_PTRACE: /BPF is absent/,
  DAC_READ_SEARCH: undefined,
  AUDIT_READ: /audit source not used.*AUDIT_READ/,
  AUDIT_CONTROL: /rules of the kernel's audit.*AUDIT_CONTROL/,
  SYSLOG: undefined,
  NET_ADMIN: undefined,
  MAC_ADMIN: /AppArmor: load the AppArmor profile/,
  BPF: /BPF is absent.*capabilities BPF and PERFMON/,
  PERFMON: /BPF is absent.*capabilities BPF and PERFMON/,
  SYS_RESOURCE: undefined,
  KILL: undefined,
}

if (asked && missingForGuest().length === 0)
  for (const kernel of chosenKernels())
    describe(`the capabilities of an agent, with kernel ${kernel}`, () => describeNode(kernel))
else describe.skip('the capabilities of an agent (VARMOR_CAPABILITIES=1 runs it)', () => it('are each needed'))

function describeNode(kernel: KernelName): void {
  let guest: Guest
  let made: Awaited<ReturnType<typeof packageDisk>>
  const shell = async (script: string): Promise<string> =>
    (await guest.run(['sh', '-c', script], { timeoutMs: timeout })).stdout

  before(async function () {
    this.timeout(timeout)
    made = await packageDisk(printSteps, 'files')
    if (made === undefined) return this.skip()
    guest = await Guest.boot({ kernel, steps: printSteps, disks: [made.disk], processors: 2 })
    await shell(`cp -a ${packageInGuest}/. / && containerd-up`)
    const policy = {
      apiVersion: 'crd.varmor.org/v1beta1',
      kind: 'VarmorPolicy',
      metadata: { name: 'web' },
      spec: {
        target: { kind: 'Pod', name: 'web' },
        policy: {
          enforcer: 'AppArmorBPFSeccomp',
          mode: 'EnhanceProtect',
          enhanceProtect: { hardeningRules: ['disallow-create-user-ns'] },
        },
      },
    }
    await guest.run(['sh', '-c', 'cat > /etc/varmor/policies/web.json'], { input: JSON.stringify(policy) })
  })
  after(async () => {
    await guest?.stop()
    made?.remove()
  })

  it('are those of the template', () => expect(all).to.have.members(Object.keys(without)))

  for (const dropped of ['', ...all])
    it(dropped === '' ? 'all together do' : `without ${dropped}`, async () => {
      const kept = all.filter((name) => name !== dropped).map((name) => `+${name.toLowerCase()}`)
      const command = 'varmor agent --policies /etc/varmor/policies --readiness-host 127.0.0.1'
      // Profiles of the previous agent must not remain.
      await shell('for profile in /etc/apparmor.d/varmor*; do apparmor_parser -R $profile; done')
      await shell('rm -rf /sys/fs/bpf/varmor /etc/apparmor.d/varmor* /var/lib/varmor/* /var/log/varmor/*')
      const limits = `unshare -m /usr/bin/setpriv --no-new-privs --bounding-set -all,${kept.join()}`
      const agent = guest.spawn(['sh', '-c', `exec ${limits} ${command} > /var/log/agent.log 2>&1`])
      const ask = 'printf "GET /health/readiness HTTP/1.0\\r\\n\\r\\n" | nc 127.0.0.1 9580'
      // Waits until the agent has tried to load each of its profiles, or knows why it cannot.
      const readiness = await eventually(
        'the agent',
        async () => {
          const answer = await shell(ask)
          const body = answer.slice(answer.indexOf('\r\n\r\n')).trim()
          const { wanted = 0, loaded = 0, failed = [] } = body === '' ? {} : JSON.parse(body)
          return wanted > 0 && (loaded > 0 || Object.keys(failed).length > 0) && body
        },
        180_000,
        500,
      ).catch((error: Error) => error.message)
      const log = await shell('cat /var/log/agent.log')
      agent.kill('SIGKILL')
      await agent.exited
      const said = log.split('\n').filter((line) => /WARN|ERROR|"level":[45]0|^[A-Z ]*(warn|error)/i.test(line))
      console.log(
        `      ${dropped || 'all'}: ${readiness.slice(0, 600)}\n        ${said.map((line) => line.slice(0, 400)).join('\n        ')}`,
      )
      const expected = without[dropped]
      if (expected !== undefined) expect(`${readiness}\n${said.join('\n')}`).to.match(expected)
    }).timeout(timeout)
}
