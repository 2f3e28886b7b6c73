import { expect } from 'chai'
import { ConfigError, environmentOf, referredByEnvironment } from '../../../src/sandbox/kubelet/environment.ts'
import type { ContainerFields } from '../../../src/sandbox/kubelet/pod-fields.ts'
import { podOf } from './pods.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const inputs = {
  pod: podOf(
    { nodeName: 'node-1', serviceAccountName: 'robot' },
    { labels: { app: 'shop', 'a/b': 'c' }, annotations: { note: 'n' } },
  ),
  place: { podIP: '10.1.2.3', hostIP: '10.0.2.15' },
  base: { KUBERNETES_SERVICE_HOST: '10.0.2.2' },
  objects: {
    configMap: (name: string) => (name === 'settings' ? { data: { b: 'two', a: 'one' } } : undefined),
    secret: (name: string) => (name === 'key' ? { data: { word: base64('söcret') } } : undefined),
  },
}
const field = (fieldPath: string): object => ({ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }] })
const from = (valueFrom: object): object => ({ env: [{ name: 'X', valueFrom }] })

const rows: { title: string; container: object; made: Record<string, string> }[] = [
  { title: 'nothing of its own', container: {}, made: {} },
  { title: 'a plain value', container: { env: [{ name: 'X', value: 'y' }] }, made: { X: 'y' } },
  { title: 'a name alone', container: { env: [{ name: 'X' }] }, made: { X: '' } },
  {
    title: 'references to variables before, and not to those after',
    container: {
      env: [
        { name: 'A', value: '$(B)' },
        { name: 'B', value: 'b' },
        { name: 'C', value: '$(A) $(B) $(KUBERNETES_SERVICE_HOST)' },
      ],
    },
    made: { A: '$(B)', B: 'b', C: '$(B) b 10.0.2.2' },
  },
  { title: 'metadata.name', container: field('metadata.name'), made: { X: 'web' } },
  { title: 'metadata.namespace', container: field('metadata.namespace'), made: { X: 'demo' } },
  { title: 'metadata.uid', container: field('metadata.uid'), made: { X: 'u-1' } },
  { title: 'a label', container: field("metadata.labels['app']"), made: { X: 'shop' } },
  { title: 'a label with a slash', container: field("metadata.labels['a/b']"), made: { X: 'c' } },
  { title: 'an annotation', container: field("metadata.annotations['note']"), made: { X: 'n' } },
  { title: 'a label that is not there', container: field("metadata.labels['none']"), made: { X: '' } },
  { title: 'spec.nodeName', container: field('spec.nodeName'), made: { X: 'node-1' } },
  { title: 'spec.serviceAccountName', container: field('spec.serviceAccountName'), made: { X: 'robot' } },
  { title: 'status.podIP', container: field('status.podIP'), made: { X: '10.1.2.3' } },
  { title: 'status.hostIP', container: field('status.hostIP'), made: { X: '10.0.2.15' } },
  {
    title: 'a key of a ConfigMap',
    container: from({ configMapKeyRef: { name: 'settings', key: 'a' } }),
    made: { X: 'one' },
  },
  {
    title: 'a key of a Secret',
    container: from({ secretKeyRef: { name: 'key', key: 'word' } }),
    made: { X: 'söcret' },
  },
  {
    title: 'nothing for an optional key that is missing',
    container: from({ secretKeyRef: { name: 'none', key: 'word', optional: true } }),
    made: {},
  },
  {
    title: 'whole objects, with a prefix, under its own variables',
    container: {
      envFrom: [{ configMapRef: { name: 'settings' } }, { prefix: 'K_', secretRef: { name: 'key' } }],
      env: [{ name: 'a', value: 'mine' }],
    },
    made: { a: 'mine', b: 'two', K_word: 'söcret' },
  },
  {
    title: 'nothing of an optional object that is missing',
    container: { envFrom: [{ configMapRef: { name: 'none', optional: true } }] },
    made: {},
  },
]

const refusals: { title: string; container: object; says: string }[] = [
  {
    title: 'a ConfigMap that is missing',
    container: { envFrom: [{ configMapRef: { name: 'none' } }] },
    says: 'configmap "none" not found',
  },
  {
    title: 'a key that is missing',
    container: from({ configMapKeyRef: { name: 'settings', key: 'z' } }),
    says: "couldn't find key z in ConfigMap settings",
  },
  {
    title: 'a key of a Secret that is missing',
    container: from({ secretKeyRef: { name: 'none', key: 'z' } }),
    says: 'secret "none" not found',
  },
  { title: 'a field that there is not', container: field('spec.containers'), says: 'env X: fieldRef spec.containers' },
  {
    title: 'resources',
    container: from({ resourceFieldRef: { resource: 'limits.cpu' } }),
    says: 'env X: valueFrom.resourceFieldRef is not supported on this node',
  },
]

describe('the environment of a container', () => {
  for (const { title, container, made } of rows)
    it(`has ${title}`, () =>
      expect(Object.fromEntries(environmentOf(container as ContainerFields, inputs))).to.deep.equal({
        ...inputs.base,
        ...made,
      }))
  for (const { title, container, says } of refusals)
    it(`is refused for ${title}`, () =>
      expect(() => environmentOf(container as ContainerFields, inputs)).to.throw(ConfigError, says))

  it('is known to need the objects that it refers to', () => {
    const container = {
      ...{ name: 'main', envFrom: [{ configMapRef: { name: 'a' } }, { secretRef: { name: 'b' } }] },
      env: [
        { name: 'X', valueFrom: { secretKeyRef: { name: 'c', key: 'k' } } },
        { name: 'Y', valueFrom: { configMapKeyRef: { name: 'd', key: 'k' } } },
        { name: 'Z', value: 'plain' },
      ],
    }
    expect(referredByEnvironment(container)).to.deep.equal({ configMaps: ['a', 'd'], secrets: ['b', 'c'] })
  })
})
