import { expect } from 'chai'
import { issueText } from '../../../src/sandbox/api-server/field-issue.ts'
import type { JsonObject } from '../../../src/sandbox/api-server/schema/json.ts'
import { validateObjectMeta, validateObjectMetaUpdate } from '../../../src/sandbox/api-server/schema/metadata.ts'

const object = (metadata: JsonObject): JsonObject => ({ metadata: { name: 'x', namespace: 'default', ...metadata } })
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"

describe('sandbox/schema/metadata', () => {
  const rows: [string, JsonObject, string[]][] = [
    ['nothing of a plain name', {}, []],
    ['a bad name', { name: 'X_' }, [`metadata.name: Invalid value: "X_": ${subdomain}`]],
    ['no name', { name: '' }, ['metadata.name: Required value: name or generateName is required']],
    [
      'a bad label',
      { labels: { 'a/b/c': 'd' } },
      [
        "metadata.labels: Invalid value: \"a/b/c\": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
      ],
    ],
    [
      'a bad label value',
      { labels: { a: '-' } },
      [
        "metadata.labels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      ],
    ],
  ]
  for (const [title, metadata, wanted] of rows)
    it(`reports ${title}`, () =>
      expect(validateObjectMeta(object(metadata), true, 'subdomain').map(issueText)).to.deep.equal(wanted))

  const stored: JsonObject = { uid: 'u', resourceVersion: '1', deletionTimestamp: '2026-01-01T00:00:00Z' }
  const updates: [string, JsonObject, string][] = [
    ['another uid', { uid: 'v' }, 'metadata.uid: Invalid value: "v": field is immutable'],
    [
      'an update of no version',
      { resourceVersion: '' },
      'metadata.resourceVersion: Invalid value: "": must be specified for an update',
    ],
    [
      'a new finalizer on what is being deleted',
      { finalizers: ['a.b/c'] },
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/c"}',
    ],
  ]
  for (const [title, change, wanted] of updates)
    it(`reports ${title}`, () => {
      const issues = validateObjectMetaUpdate(object({ ...stored, ...change }), object(stored))
      expect(issues.map(issueText)).to.deep.equal([wanted])
    })
})
