import { expect } from 'chai'
import type { Method } from '../cluster/https-client.ts'
import type { CallOptions, Json } from './api.ts'
import { expectFailure, type Failure } from './expect-failure.ts'
import { configMap, deployment } from './samples.ts'
import { type Scope, useScope } from './scope.ts'
import type { Target } from './target.ts'

interface Row {
  title: string
  method: Method
  path: (scope: Scope) => string
  body?: Json
  options?: CallOptions
  failure: Failure
}

const maps = (scope: Scope): string => scope.core('configmaps')
const json = { 'content-type': 'application/json' }

const rows: Row[] = [
  {
    title: 'a body that is no JSON',
    method: 'POST',
    path: maps,
    options: { raw: '{"kind":', headers: json },
    failure: {
      code: 400,
      reason: 'BadRequest',
      message: /^the object provided is unrecognized/,
    },
  },
  {
    title: 'no body',
    method: 'POST',
    path: maps,
    options: { raw: '', headers: json },
    failure: { code: 400, reason: 'BadRequest', message: /./ },
  },
  {
    title: 'a version that the URL is not for',
    method: 'POST',
    path: (scope) => scope.group('apps/v1', 'deployments'),
    body: { ...deployment('a'), apiVersion: 'apps/v9' },
    failure: { code: 400, reason: 'BadRequest', message: /./ },
  },
  {
    title: 'a field of the wrong type',
    method: 'POST',
    path: (scope) => scope.group('apps/v1', 'deployments'),
    body: { ...deployment('a'), spec: { replicas: 'two' } },
    failure: {
      code: 400,
      reason: 'BadRequest',
      message: /^Deployment in version "v1" cannot be handled as a Deployment: .*spec\.replicas/,
    },
  },
  {
    title: 'a number in a map of texts',
    method: 'POST',
    path: maps,
    body: configMap('a', { n: 1 } as unknown as Record<string, string>),
    failure: {
      code: 400,
      reason: 'BadRequest',
      message: /^ConfigMap in version "v1" cannot be handled as a ConfigMap: .*data/,
    },
  },
  {
    title: 'a namespace other than that of the URL',
    method: 'POST',
    path: maps,
    body: configMap('a', {}, { namespace: 'elsewhere' }),
    failure: {
      code: 400,
      reason: 'BadRequest',
      message: 'the namespace of the provided object does not match the namespace sent on the request',
    },
  },
  {
    title: 'a name other than that of the URL',
    method: 'PUT',
    path: (scope) => scope.core('configmaps', 'there'),
    body: configMap('other'),
    failure: {
      code: 400,
      reason: 'BadRequest',
      message: 'the name of the object (other) does not match the name on the URL (there)',
    },
  },
  {
    title: 'a body of an unknown media type',
    method: 'POST',
    path: maps,
    options: { raw: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    failure: {
      code: 415,
      reason: 'UnsupportedMediaType',
      message:
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    },
  },
  {
    title: 'a creation at the URL of an object',
    method: 'POST',
    path: (scope) => scope.core('configmaps', 'there'),
    body: configMap('there'),
    failure: {
      code: 405,
      reason: 'MethodNotAllowed',
      message: 'the server does not allow this method on the requested resource',
      details: {},
    },
  },
  {
    title: 'a replacement at the URL of a collection',
    method: 'PUT',
    path: maps,
    body: configMap('there'),
    failure: {
      code: 405,
      reason: 'MethodNotAllowed',
      message: 'the server does not allow this method on the requested resource',
      details: {},
    },
  },
  {
    title: 'a creation in all namespaces',
    method: 'POST',
    path: () => '/api/v1/configmaps',
    body: configMap('a'),
    failure: {
      code: 405,
      reason: 'MethodNotAllowed',
      message: 'the server does not allow this method on the requested resource',
      details: {},
    },
  },
  {
    title: 'an unknown field, if the client wants strictness',
    method: 'POST',
    path: (scope) => `${maps(scope)}?fieldValidation=Strict`,
    body: { ...configMap('strict'), extra: 1, metadata: { name: 'strict', wrong: 2 } },
    failure: {
      code: 400,
      reason: 'BadRequest',
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.wrong", unknown field "extra"',
    },
  },
  {
    title: 'an unknown strictness',
    method: 'POST',
    path: (scope) => `${maps(scope)}?fieldValidation=Severe`,
    body: configMap('severe'),
    failure: {
      code: 422,
      reason: 'Invalid',
      message:
        'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Severe": supported values: "", "Ignore", "Strict", "Warn"',
    },
  },
  {
    title: 'a deployment whose selector does not fit its template',
    method: 'POST',
    path: (scope) => scope.group('apps/v1', 'deployments'),
    body: { ...deployment('a'), spec: { ...deployment('a').spec, selector: { matchLabels: { app: 'other' } } } },
    failure: {
      code: 422,
      reason: 'Invalid',
      message:
        'Deployment.apps "a" is invalid: spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
    },
  },
  {
    title: 'a deployment without anything',
    method: 'POST',
    path: (scope) => scope.group('apps/v1', 'deployments'),
    body: { metadata: { name: 'empty' }, spec: {} },
    failure: {
      code: 422,
      reason: 'Invalid',
      message:
        /^Deployment\.apps "empty" is invalid: \[spec\.selector: Required value, .*spec\.template\.spec\.containers: Required value/,
    },
  },
  {
    title: 'a pod with a container that has no name',
    method: 'POST',
    path: (scope) => scope.core('pods'),
    body: { metadata: { name: 'nameless' }, spec: { containers: [{ image: 'x' }] } },
    failure: {
      code: 422,
      reason: 'Invalid',
      message: 'Pod "nameless" is invalid: spec.containers[0].name: Required value',
    },
  },
]

/** The server describes a faulty request in a text that helps the user. The texts are those of Kubernetes. */
export function badRequests(target: Target): void {
  describe('refuses', () => {
    const scope = useScope(target)
    before(async () => {
      await scope.api.create(scope.core('configmaps'), configMap('there'))
      await scope.accountReady()
    })

    for (const { title, method, path, body, options, failure } of rows) {
      it(title, async () => {
        expectFailure(await scope.api.call(method, path(scope), body, options), failure)
      })
    }
  })

  describe('takes, with a warning', () => {
    const scope = useScope(target)

    it('an unknown field', async () => {
      const path = `${maps(scope)}?fieldValidation=Warn`
      const reply = await scope.api.post(path, { ...configMap('warned'), extra: 1 })
      expect(reply.status).to.equal(201)
      expect(reply.headers['warning']).to.equal('299 - "unknown field \\"extra\\""')
      expect(reply.body).not.to.have.property('extra')
    })

    it('without one, if the client wants none', async () => {
      const reply = await scope.api.post(`${maps(scope)}?fieldValidation=Ignore`, { ...configMap('ignored'), extra: 1 })
      expect(reply.status).to.equal(201)
      expect(reply.headers).not.to.have.property('warning')
    })

    it('a body without kind and version: the URL says it', async () => {
      const reply = await scope.api.post(maps(scope), { metadata: { name: 'bare' } })
      expect(reply.status).to.equal(201)
      expect(reply.body).to.include({ kind: 'ConfigMap', apiVersion: 'v1' })
    })
  })
}
