import { expect } from 'chai'
import {
  duplicate,
  type FieldIssue,
  forbiddenField,
  invalidValue,
  issuesText,
  issueText,
  notFoundValue,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '../../src/sandbox/api-server/field-issue.ts'
import * as status from '../../src/sandbox/api-server/status.ts'

const pods = { group: '', resource: 'pods' }
const deployments = { group: 'apps', resource: 'deployments' }

describe('sandbox/status', () => {
  const rows: [string, status.ApiStatusError, number, string | undefined][] = [
    ['pods "x" not found', status.notFound(pods, 'x'), 404, 'NotFound'],
    ['deployments.apps "x" already exists', status.alreadyExists(deployments, 'x'), 409, 'AlreadyExists'],
    [
      'Operation cannot be fulfilled on deployments.apps "x": the object has been modified; please apply your changes to the latest version and try again',
      status.conflict(deployments, 'x', status.STALE_OBJECT),
      409,
      'Conflict',
    ],
    [
      'the server rejected our request due to an error in our request',
      status.unprocessable(new Error('why')),
      422,
      'Invalid',
    ],
    ['nope', status.badRequest('nope'), 400, 'BadRequest'],
    ['Unauthorized', status.unauthorized(), 401, 'Unauthorized'],
    ['pods is forbidden: no', status.forbidden(pods, '', 'no'), 403, 'Forbidden'],
    ['deployments.apps "x" is forbidden: no', status.forbidden(deployments, 'x', 'no'), 403, 'Forbidden'],
    [
      'the body of the request was in an unknown format - accepted media types include: a/b',
      status.unsupportedMediaType(['a/b']),
      415,
      'UnsupportedMediaType',
    ],
    ['too old resource version: 1 (5)', status.expired('too old resource version: 1 (5)'), 410, 'Expired'],
    ['slow down', status.tooManyRequests('slow down', 1), 429, 'TooManyRequests'],
    ['Timeout: late', status.timeout('late', {}), 504, 'Timeout'],
    ['Internal error occurred: boom', status.internalError('boom'), 500, 'InternalError'],
    ['boom', status.internalFailure('boom'), 500, undefined],
    ['Request entity too large: 3', status.requestEntityTooLarge('3'), 413, 'RequestEntityTooLarge'],
    ['the server could not find the requested resource', status.pathNotFound(), 404, 'NotFound'],
  ]
  for (const [text, error, code, reason] of rows)
    it(`${code} ${reason ?? 'without a reason'}: ${text}`, () => {
      expect(error.message).to.equal(text)
      expect(error.status).to.include({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message: text, code })
      expect(error.status.reason).to.equal(reason)
    })

  it('says what was not found, and leaves empty details out', () => {
    expect(status.notFound(pods, 'x').status.details).to.deep.equal({ name: 'x', kind: 'pods' })
    expect(status.notFound(deployments, 'x').status.details).to.deep.equal({
      name: 'x',
      group: 'apps',
      kind: 'deployments',
    })
  })

  it('carries when to come back', () => {
    expect(status.tooManyRequests('slow down', 7).status.details).to.deep.equal({ retryAfterSeconds: 7 })
  })

  it('keeps the reason of a patch that does not fit from the client, as its cause', () => {
    const error = status.unprocessable(new Error('missing path'))
    expect(JSON.stringify(error.status)).not.to.include('missing')
    expect((error.cause as Error).message).to.equal('missing path')
  })

  it('names one mistake plainly and several in brackets, each once, each a cause', () => {
    const one = [required('spec.x')]
    const two = [...one, invalidValue('spec.y', 1, 'must be 2'), ...one]
    const kind = { group: 'apps', kind: 'Deployment' }
    expect(status.invalid(kind, 'd', one).message).to.equal('Deployment.apps "d" is invalid: spec.x: Required value')
    const error = status.invalid(kind, 'd', two)
    expect(error.message).to.equal(
      'Deployment.apps "d" is invalid: [spec.x: Required value, spec.y: Invalid value: 1: must be 2]',
    )
    expect(error.status.details?.causes).to.deep.equal([
      { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.x' },
      { reason: 'FieldValueInvalid', message: 'Invalid value: 1: must be 2', field: 'spec.y' },
      { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.x' },
    ])
  })

  const issues: [string, FieldIssue][] = [
    ['a: Required value: be there', required('a', 'be there')],
    ['a: Invalid value: "x\\n\\"y\\"": no', invalidValue('a', 'x\n"y"', 'no')],
    ['a: Invalid value: 1.5: no', invalidValue('a', 1.5, 'no')],
    ['a: Invalid value: true: no', invalidValue('a', true, 'no')],
    ['a: Invalid value: null: no', invalidValue('a', null, 'no')],
    ['a: Invalid value: {"a":[1],"b":"<"}: no', invalidValue('a', { b: '<', a: [1] }, 'no')],
    ['a: Invalid value: no', { type: 'FieldValueInvalid', field: 'a', detail: 'no' }],
    ['a: Unsupported value: "z": supported values: "x", "y"', notSupported('a', 'z', ['x', 'y'])],
    ['a: Duplicate value: "z"', duplicate('a', 'z')],
    ['a: Not found: "z"', notFoundValue('a', 'z')],
    ['a: Forbidden: no', forbiddenField('a', 'no')],
    ['a: Too long: may not be more than 1 byte', tooLong('a', 1)],
    ['a: Too many: 3: must have at most 2 items', tooMany('a', 3, 2)],
  ]
  for (const [text, issue] of issues) it(`prints ${text}`, () => expect(issueText(issue)).to.equal(text))

  it('prints several issues as one text', () => {
    expect(issuesText([required('a'), required('b')])).to.equal('[a: Required value, b: Required value]')
  })
})
