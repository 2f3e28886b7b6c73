import { expect } from 'chai'
import type { WebhookTransport } from '../../src/sandbox/api-server/admission/webhook-transport.ts'
import { type JsonObject, objectOf } from '../../src/sandbox/api-server/schema/json.ts'
import { type Harness, startInProcess } from './in-process.ts'

type Sent = Parameters<WebhookTransport>[0]

/** A webhook that answers every review with a JSON patch, and keeps the reviews. */
function webhookServer(patch: JsonObject[]): { transport: WebhookTransport; asked: Sent[] } {
  const asked: Sent[] = []
  return {
    asked,
    async transport(request) {
      asked.push(request)
      const { uid } = objectOf((JSON.parse(request.body) as JsonObject)['request'])
      const response = { uid, allowed: true, patchType: 'JSONPatch', patch: btoa(JSON.stringify(patch)) }
      const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }
      return { code: 200, body: JSON.stringify(body) }
    },
  }
}

const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'

async function configure({ call }: Harness, clientConfig: JsonObject) {
  const rules = [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }]
  const webhook = { name: 'hook.varmor.test', clientConfig, admissionReviewVersions: ['v1'], rules }
  const body = { metadata: { name: 'hooks' }, webhooks: [{ sideEffects: 'None', ...webhook }] }
  expect((await call('POST', configurations, body))['kind']).to.equal('MutatingWebhookConfiguration')
}

const maps = '/api/v1/namespaces/default/configmaps'
const url = 'https://192.0.2.7:1443/mutate'
const requestOf = (sent: Sent): JsonObject => objectOf((JSON.parse(sent.body) as JsonObject)['request'])

describe('webhooks of the embedded server', () => {
  it('are called at their URL, which says how long they may take', async () => {
    const { transport, asked } = webhookServer([{ op: 'add', path: '/data', value: { by: 'hook' } }])
    const harness = await startInProcess({ transport })
    await configure(harness, { url, caBundle: btoa('an authority') })
    expect((await harness.call('POST', maps, { metadata: { name: 'a' } }))['data']).to.deep.equal({ by: 'hook' })
    expect(asked.map((sent) => [sent.url.href, sent.ca, sent.timeout])).to.deep.equal([
      [`${url}?timeout=10s`, 'an authority', 10_000],
    ])
  })

  it('that are services are named where they stop a write: no services are reached', async () => {
    const { transport } = webhookServer([])
    const harness = await startInProcess({ transport })
    await configure(harness, { service: { namespace: 'default', name: 'hooks' } })
    expect((await harness.call('POST', maps, { metadata: { name: 'a' } }))['message']).to.equal(
      'Internal error occurred: failed calling webhook "hook.varmor.test": failed to call webhook: ' +
        'the sandbox cannot reach services, only URLs',
    )
  })

  it('see who owns what, and own nothing of what they add', async () => {
    const { transport, asked } = webhookServer([{ op: 'add', path: '/data/more', value: 'x' }])
    const harness = await startInProcess({ transport })
    await configure(harness, { url })
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
    await configure(harness, { url })
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
