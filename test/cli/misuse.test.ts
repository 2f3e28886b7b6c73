import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { varmor } from './run.ts'

/** Flags, environment and home folder that lead to no cluster. */
const nowhere = { KUBECONFIG: '', KUBERNETES_SERVICE_HOST: '', HOME: '/nonexistent' }

/** One case of each kind; test/options/readers.test.ts has the values that option readers refuse. */
const rows: { args: string[]; status: 1 | 2; says: RegExp; env?: NodeJS.ProcessEnv }[] = [
  { args: ['manager', '--webhook-port', '70000'], status: 2, says: /--webhook-port.*port from 1 to 65535/ },
  { args: ['manager'], env: { METRICS_SERVICE_PORT: 'x' }, status: 2, says: /METRICS_SERVICE_PORT.*port from 1/s },
  { args: ['manager', '--webhook-exempt-namespaces', 'cni,Storage'], status: 2, says: /names of namespaces/ },
  { args: ['manager', '--webhook-failure-policy', 'Never'], status: 2, says: /Ignore, Fail/ },
  { args: ['manager', '--shutdown-delay', '601'], status: 2, says: /whole number from 0 to 600/ },
  {
    args: ['manager', '--webhook-client-names', 'a'],
    status: 2,
    says: /--webhook-client-names needs --webhook-client-ca/,
  },
  { args: ['manager', '--restartExistWorkload'], status: 2, says: /--restartExistWorkloads/ },
  {
    args: ['manager', '--metrics-cert', 'x'],
    status: 2,
    says: /--metrics-cert and --metrics-key must be given together/,
  },
  { args: ['manager'], status: 1, says: /no cluster to talk to.*--kubeconfig/s },
  { args: ['manager', '--kubeconfig', '/nonexistent/file'], status: 1, says: /kubeconfig \/nonexistent\/file: ENOENT/ },
  {
    args: ['agent', '--audit-only', '--metrics-key', 'x'],
    status: 2,
    says: /--metrics-cert and --metrics-key must be given together.*--audit-only needs/s,
  },
  {
    args: [
      'agent',
      '--audit-only',
      '--containers',
      'x',
      '--violations-max-size',
      '20M',
      '--violations-max-total-size',
      '10M',
    ],
    status: 2,
    says: /--violations-max-total-size 10M is less than the 20M of one file .*give at least 20M/,
  },
  { args: ['agent', '--violations-max-size', '10'], status: 2, says: /must be a size of 1M or more, such as 10M/ },
  { args: ['agent', '--violations-rate', '0'], status: 2, says: /must be a number from 0.001/ },
  { args: ['agent', '--bpf-records-rate', '10/0'], status: 2, says: /must be RATE or RATE\/BURST, such as 100/ },
  { args: ['agent'], status: 1, says: /no cluster to talk to/ },
  { args: ['agent', '--audit-only'], status: 2, says: /--audit-only needs --containers/ },
  { args: ['agent', '--containers', 'x'], status: 2, says: /--containers works only with --audit-only/ },
  {
    args: ['agent', '--policies', 'x', '--namespace', 'n'],
    status: 2,
    says: /--policies is for a node without a cluster, so it excludes --namespace/,
  },
  {
    args: ['agent', '--policies', '/nonexistent'],
    status: 1,
    says: /\/nonexistent: the folder does not exist; create it/,
  },
  {
    args: ['agent'],
    env: { AUDIT_EVENT_METADATA: '[1]' },
    status: 2,
    says: /AUDIT_EVENT_METADATA is not a JSON object/,
  },
  { args: ['sandbox', '--nodes', '0'], status: 2, says: /whole number of 1/ },
  { args: ['sandbox-node', '--name', 'n'], status: 2, says: /required option '--kubeconfig <file>'/ },
  { args: ['sandbox-node', '--kubeconfig', 'x', '--name', 'N'], status: 2, says: /must be a DNS name/ },
  {
    args: ['sandbox-node', '--kubeconfig', 'x', '--name', 'n', '--listen', '80'],
    status: 2,
    says: /must be ADDRESS:PORT/,
  },
  {
    args: ['sandbox-node', '--kubeconfig', '/nonexistent/file', '--name', 'n'],
    status: 1,
    says: /kubeconfig \/nonexistent\/file: ENOENT/,
  },
  { args: ['sandbox', 'more'], status: 2, says: /too many arguments/ },
]

describe('a role that is asked for wrongly, or has no cluster', () => {
  for (const { args, status, says, env = {} } of rows)
    it(`varmor ${args.join(' ')}${Object.entries(env).map(([key, value]) => `, ${key}=${value}`)}: ${status}`, async () => {
      const run = await varmor(args, '', { ...nowhere, ...env })
      expect(run.stderr).to.match(says)
      expect(run.status).to.equal(status)
      expect(run.stdout).to.equal('')
    })

  it('names the contexts that there are', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'varmor-cli-'))
    const file = join(folder, 'config')
    const config = {
      clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    }
    writeFileSync(file, JSON.stringify(config))
    const run = await varmor(['manager', '--kubeconfig', file, '--context', 'there'], '', nowhere)
    rmSync(folder, { recursive: true })
    expect(run).to.deep.include({ status: 1, stderr: 'error: there is no context there; existing contexts: here\n' })
  })

  for (const role of ['manager', 'agent', 'sandbox', 'sandbox-node'])
    it(`varmor ${role} --help names its flags and exit statuses`, async () => {
      const run = await varmor([role, '--help'])
      expect(run.status).to.equal(0)
      expect(run.stdout)
        .to.match(/Options:/)
        .and.to.match(/Exit status: 0/)
    })
})
