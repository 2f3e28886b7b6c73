import { expect } from 'chai'
import type { WebhookTransport } from '../../src/sandbox/api-server/admission/webhook-transport.ts'
import { type JsonObject, objectOf } from '../../src/sandbox/api-server/schema/json.ts'
import { type Harness, startInProcess } from './in-process.ts'

type Sent = Parameters<WebhookTransport['send']>[0]

/** Answers every review with a JSON patch, and keeps what it was asked. */
function webhookServer(patch: JsonObject[]): { transport: WebhookTransport; asked: Sent[] } {
  const asked: Sent[] = []
  return {
    asked,
    transport: {
      async send(request) {
        asked.push(request)
        const { uid } = objectOf((JSON.parse(request.body) as JsonObject)['request'])
        const response = {
          uid,
          allowed: true,
          ...(patch.length > 0
            ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
            : {}),
        }
        const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }
        return { code: 200, body: JSON.stringify(body) }
      },
      resolve: (namespace, name, port) =>
        namespace === 'default' && name === 'hooks' ? { host: '192.0.2.7', port: port + 1000 } : undefined,
    },
  }
}

const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'

async function configure({ call }: Harness, service: JsonObject, rule: JsonObject, more: JsonObject = {}) {
  const rules = [{ operations: ['CREATE'], ...rule }]
  const webhook = {
    name: 'hook.varmor.test',
    clientConfig: { service },
    admissionReviewVersions: ['v1'],
    rules,
    ...more,
  }
  const body = { metadata: { name: 'hooks' }, webhooks: [{ sideEffects: 'None', ...webhook }] }
  expect((await call('POST', configurations, body))['kind']).to.equal('MutatingWebhookConfiguration')
}

const maps = '/api/v1/namespaces/default/configmaps'
const configMaps = { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }
const requestOf = (sent: Sent): JsonObject => objectOf((JSON.parse(sent.body) as JsonObject)['request'])

describe('webhooks of the embedded server', () => {
  it('are called where their service listens, by the name of the service', async () => {
    const { transport, asked } = webhookServer([{ op: 'add', path: '/data', value: { by: 'hook' } }])
    const harness = await startInProcess({ transport })
    await configure(harness, { namespace: 'default', name: 'hooks', path: '/mutate' }, configMaps)
    expect((await harness.call('POST', maps, { metadata: { name: 'a' } }))['data']).to.deep.equal({ by: 'hook' })
    expect(asked).to.have.length(1)
    expect(asked[0]!.url.href).to.equal('https://192.0.2.7:1443/mutate?timeout=10s')
    expect(asked[0]!.serverName).to.equal('hooks.default.svc')
  })

  it('are named in full when their service is not there', async () => {
    const { transport } = webhookServer([])
    const harness = await startInProcess({ transport })
    await configure(harness, { namespace: 'default', name: 'nobody', port: 8443 }, configMaps)
    expect((await harness.call('POST', maps, { metadata: { name: 'a' } }))['message']).to.equal(
      'Internal error occurred: failed calling webhook "hook.varmor.test": failed to call webhook: ' +
        'Post "https://nobody.default.svc:8443/?timeout=10s": service "nobody" not found',
    )
  })

  it('see who owns what, and own nothing of what they add', async () => {
    const { transport, asked } = webhookServer([{ op: 'add', path: '/data/more', value: 'x' }])
    const harness = await startInProcess({ transport })
    await configure(harness, { namespace: 'default', name: 'hooks' }, configMaps)
    const sent = { metadata: { name: 'a' }, data: { own: 'y' } }
    const made = await harness.call('POST', maps, sent, { 'user-agent': 'kubectl/v1' })
    const [entry, ...others] = objectOf(made['metadata'])['managedFields'] as JsonObject[]
    expect(others).to.deep.equal([])
    expect(entry).to.include({ manager: 'kubectl', operation: 'Update' })
    expect(entry!['fieldsV1']).to.deep.equal({ 'f:data': { '.': {}, 'f:own': {} } })
    const seen = objectOf(objectOf(requestOf(asked[0]!)['object'])['metadata'])
    expect(seen['managedFields']).to.deep.equal([entry])
  })

  it('cannot garble who owns what', async () => {
    const { transport } = webhookServer([
      { op: 'replace', path: '/metadata/managedFields/0/operation', value: 'Steal' },
    ])
    const harness = await startInProcess({ transport })
    await configure(harness, { namespace: 'default', name: 'hooks' }, configMaps)
    const response = await harness.admin({
      method: 'POST',
      path: maps,
      body: { metadata: { name: 'a' }, data: { a: 'b' } },
    })
    expect(String(response.headers['warning'])).to.match(/managedFields was in an invalid state after admission/)
    const { metadata } = (response.type === 'json' ? response.body : {}) as {
      metadata: { managedFields: JsonObject[] }
    }
    expect(metadata.managedFields[0]).to.include({ operation: 'Update' })
  })
})
