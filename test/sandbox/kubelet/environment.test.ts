import { expect } from 'chai'
import fc from 'fast-check'
import { environmentOf, expandVariables } from '../../../src/sandbox/kubelet/environment.ts'
import { ConfigError, type ObjectSource } from '../../../src/sandbox/kubelet/pod-objects.ts'
import { thrownBy } from '../../enforcer/loader-contract.ts'
import { containerOf, podOf } from './pods.ts'

const stored: Record<string, Record<string, string>> = {
  'configmap settings': { b: 'two', a: 'one' },
  'secret key': { word: 'söcret' },
}
const inputs = {
  pod: podOf(
    { nodeName: 'node-1', serviceAccountName: 'robot' },
    { labels: { app: 'shop', 'a/b': 'c' }, annotations: { note: 'n' } },
  ),
  place: { podIP: '10.1.2.3', hostIP: '10.0.2.15' },
  base: { KUBERNETES_SERVICE_HOST: '10.0.2.2' },
  objects: {
    data: async (_pod: unknown, { kind, name, optional }: ObjectSource) => {
      const found = stored[`${kind} ${name}`]
      if (found) return new Map(Object.entries(found).map(([key, text]) => [key, Buffer.from(text)]))
      if (optional) return undefined
      throw new ConfigError(`${kind} "${name}" not found`)
    },
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
    says: 'env X: configmap settings does not have the key z',
  },
  {
    title: 'a key of a Secret that is missing',
    container: from({ secretKeyRef: { name: 'none', key: 'z' } }),
    says: 'secret "none" not found',
  },
  {
    title: 'a field that there is not',
    container: field('spec.containers'),
    says: 'fieldRef spec.containers is not supported',
  },
  {
    title: 'resources',
    container: from({ resourceFieldRef: { resource: 'limits.cpu' } }),
    says: 'env X: valueFrom.resourceFieldRef is not supported on this node',
  },
]

describe('the environment of a container', () => {
  for (const { title, container, made } of rows)
    it(`has ${title}`, async () =>
      expect(Object.fromEntries(await environmentOf(containerOf(container), inputs))).to.deep.equal({
        ...inputs.base,
        ...made,
      }))
  for (const { title, container, says } of refusals)
    it(`is refused for ${title}`, async () => {
      const error = await thrownBy(environmentOf(containerOf(container), inputs))
      expect(error).to.be.instanceOf(ConfigError)
      expect((error as Error).message).to.include(says)
    })
})

const values = new Map([
  ['A', 'one'],
  ['B', '$(A)'],
  ['EMPTY', ''],
])

const expansions: [text: string, expanded: string][] = [
  ['$(A)', 'one'],
  ['x$(A)y$(A)', 'xoneyone'],
  ['$(B)', '$(A)'],
  ['$(EMPTY)', ''],
  ['$(C)', '$(C)'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$one'],
  ['$$$$(A)', '$$(A)'],
  ['$(A', '$(A'],
  ['$A $[A] $', '$A $[A] $'],
  ['$(A$(A))', '$(A$(A))'],
  ['$()', '$()'],
  ['$(A\n)', '$(A\n)'],
  ['$', '$'],
  ['', ''],
]

describe('references to variables', () => {
  for (const [text, expanded] of expansions)
    it(`${JSON.stringify(text)} is ${JSON.stringify(expanded)}`, () =>
      expect(expandVariables(text, values)).to.equal(expanded))

  it('can be written so that nothing is expanded', () => {
    const text = fc.string({ unit: fc.constantFrom('$', '(', ')', 'A', 'x', '\n') })
    fc.assert(
      fc.property(text, (plain) => {
        expect(expandVariables(plain.replaceAll('$', '$$$$'), values)).to.equal(plain)
      }),
    )
  })

  it('are the same in a text of several parts as in each of them', () => {
    const part = fc.constantFrom('a', '$$', '$(A)', '$(C)', ' ')
    fc.assert(
      fc.property(fc.array(part), fc.array(part), (one, other) => {
        const expand = (parts: string[]): string => expandVariables(parts.join(''), values)
        expect(expand([...one, ...other])).to.equal(expand(one) + expand(other))
      }),
    )
  })
})
