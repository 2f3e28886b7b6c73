import { expect } from 'chai'
import {
  type WebhookConfiguration,
  type WebhookOptions,
  webhookConfigurations,
} from '../../src/manager/admission/webhook-configurations.ts'
import { withCaBundle } from '../../src/manager/tls/publish.ts'

const service: WebhookOptions = { reach: { namespace: 'varmor', service: 'varmor-webhook-svc' } }
const optedIn = { ...service, optIn: { key: 'a', value: 'b' } }
const written = (
  options: WebhookOptions,
  found?: WebhookConfiguration,
  bundle = 'one',
): WebhookConfiguration | undefined => withCaBundle(webhookConfigurations(options).mutating, 'hooks', bundle)(found)

/** The configuration as the API server returns it: with its defaults and its own fields. */
function served(options: WebhookOptions, bundle = 'one'): WebhookConfiguration {
  const made = written(options, undefined, bundle)!
  const webhooks = made.webhooks!.map((webhook) => {
    const { service: port, ...rest } = webhook.clientConfig
    const clientConfig = { ...rest, ...(port !== undefined && { service: { port: 443, ...port } }) }
    return { namespaceSelector: {}, objectSelector: {}, extra: 1, ...webhook, clientConfig }
  })
  return { ...made, metadata: { name: 'hooks', uid: 'u', resourceVersion: '7' }, webhooks }
}

describe('the webhook configuration that a manager keeps', () => {
  const settings: [what: string, options: WebhookOptions][] = [
    ['a Service', service],
    ['a label', optedIn],
    ['the failure policy', { ...service, failurePolicy: 'Fail' }],
    ['exempt namespaces', { ...service, exemptNamespaces: ['cni', 'storage'] }],
    ['the timeout', { ...service, timeoutSeconds: 3 }],
    ['a URL', { reach: { url: 'https://10.0.0.1:3443' } }],
    ['another port', { reach: { url: 'https://10.0.0.1:3444' } }],
  ]
  for (const [what, options] of settings) {
    it(`is left alone where all is as ${what} says`, () => {
      expect(written(options, served(options))).to.equal(undefined)
    })
    for (const [other, before] of settings.filter(([name]) => name !== what))
      it(`is brought from ${other} to ${what}, over what the server has`, () => {
        const next = written(options, served(before))
        expect(next?.metadata).to.deep.equal({ name: 'hooks', uid: 'u', resourceVersion: '7' })
        expect(next?.webhooks).to.deep.equal(written(options)?.webhooks)
      })
  }

  for (const { what, options, exempt } of [
    { what: 'none, where workloads come up without an answer', options: service, exempt: undefined },
    {
      what: 'those without which no manager could come up',
      options: { ...service, failurePolicy: 'Fail' },
      exempt: ['varmor', 'kube-system'],
    },
    {
      what: 'those of a manager outside of the cluster',
      options: { reach: { url: 'https://10.0.0.1' }, failurePolicy: 'Fail' },
      exempt: ['kube-system'],
    },
    {
      what: 'those that are named, whatever comes up without an answer',
      options: { ...service, exemptNamespaces: ['cni'] },
      exempt: ['cni'],
    },
    {
      what: 'both, each once',
      options: { ...service, failurePolicy: 'Fail', exemptNamespaces: ['cni', 'kube-system'] },
      exempt: ['varmor', 'kube-system', 'cni'],
    },
  ] as { what: string; options: WebhookOptions; exempt: string[] | undefined }[])
    it(`leaves out namespaces: ${what}`, () => {
      const { mutating, validating } = webhookConfigurations(options)
      const selected = mutating.webhooks!.map(({ name, namespaceSelector }) => [name, namespaceSelector])
      const selector = exempt && {
        matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: exempt }],
      }
      expect(selected).to.deep.equal([
        ['mutateworkload.varmor.org', selector],
        ['mutatepod.varmor.org', selector],
        ['mutateephemeral.varmor.org', selector],
        ['holdpolicy.varmor.org', undefined],
      ])
      for (const one of validating.webhooks!) expect(one).to.not.have.property('namespaceSelector')
    })

  it('asks about debuggers of all pods, as the label may be on the workload alone', () => {
    const asked = webhookConfigurations(optedIn).mutating.webhooks!.flatMap((webhook) =>
      (webhook['rules'] as { resources: string[] }[]).map(({ resources }) => [
        resources.join(),
        webhook['objectSelector'],
      ]),
    )
    const selector = { matchLabels: { a: 'b' } }
    expect(asked).to.deep.equal([
      ['deployments,statefulsets,daemonsets', selector],
      ['pods', selector],
      ['pods/ephemeralcontainers', {}],
      ['varmorpolicies,varmorclusterpolicies', undefined],
    ])
  })

  it('trusts a new authority', () => {
    const next = written(service, served(service, 'one'), 'two')
    for (const { clientConfig } of next!.webhooks!)
      expect(Buffer.from(clientConfig.caBundle!, 'base64').toString()).to.equal('two')
  })

  it('of a chart gets the authority, and keeps all else', () => {
    const found = {
      ...served(service),
      webhooks: served(service).webhooks!.map((one) => ({ ...one, timeoutSeconds: 29 })),
    }
    const next = withCaBundle(undefined, 'hooks', 'two')(found)
    expect(next?.webhooks?.map(({ timeoutSeconds }) => timeoutSeconds)).to.deep.equal([29, 29, 29, 29])
    expect(withCaBundle(undefined, 'hooks', 'two')(next)).to.equal(undefined)
  })

  it('is missed where a chart should have brought it', () => {
    expect(() => withCaBundle(undefined, 'hooks', 'one')(undefined)).to.throw(/install it again with the chart/)
  })
})
