import { expect } from 'chai'
import { requestInfo } from '../../src/sandbox/api-server/http/request-info.ts'
import { decodeProtobuf, ProtobufError } from '../../src/sandbox/api-server/protobuf/decode.ts'
import { at } from '../../src/sandbox/api-server/schema/json.ts'
import { parseLabelSelector } from '../../src/sandbox/api-server/selectors/label-selector.ts'

describe('label selectors', () => {
  const rows: { selector: string; matches: boolean }[] = [
    { selector: '', matches: true },
    { selector: 'a=1', matches: true },
    { selector: 'a == 1, b!=1', matches: true },
    { selector: 'a in (1, 2)', matches: true },
    { selector: 'a notin (1)', matches: false },
    { selector: 'c notin (1)', matches: true },
    { selector: 'a,!c', matches: true },
    { selector: '!a', matches: false },
    { selector: 'in in (in,notin)', matches: true },
    { selector: 'e=', matches: true },
  ]
  for (const { selector, matches } of rows)
    it(`${JSON.stringify(selector)} ${matches ? 'selects' : 'leaves out'} the object`, () => {
      const labels = { a: '1', n: '5', in: 'in', e: '' }
      expect(parseLabelSelector(selector).matches(labels)).to.equal(matches)
    })

  for (const selector of ['a in b', 'a=1,', '(a)', 'a b', '!a=1', '=', 'a=b=c', 'a in (b'])
    it(`${JSON.stringify(selector)} is refused`, () => {
      expect(() => parseLabelSelector(selector)).to.throw('unable to parse requirement: ')
    })
})

describe('paths of requests', () => {
  const rows: { method: string; path: string; query?: string; info: Record<string, unknown> }[] = [
    {
      method: 'GET',
      path: '/api/v1/namespaces/a',
      info: { verb: 'get', resource: 'namespaces', name: 'a', namespace: 'a' },
    },
    { method: 'PUT', path: '/api/v1/namespaces/a/status', info: { resource: 'namespaces', subresource: 'status' } },
    {
      method: 'GET',
      path: '/api/v1/namespaces/a/pods',
      info: { verb: 'list', resource: 'pods', namespace: 'a', name: '' },
    },
    { method: 'GET', path: '/api/v1/pods', query: 'watch=1', info: { verb: 'watch', resource: 'pods', namespace: '' } },
    {
      method: 'DELETE',
      path: '/apis/apps/v1/namespaces/a/deployments',
      info: { verb: 'deletecollection', group: 'apps' },
    },
    { method: 'GET', path: '/version', info: { isResource: false, verb: 'get' } },
  ]
  for (const { method, path, query = '', info } of rows)
    it(`${method} ${path}${query && '?'}${query} is understood`, () => {
      expect(requestInfo({ method, path, query: new URLSearchParams(query) })).to.include(info)
    })
})

describe('bodies', () => {
  it('in protobuf are read as JSON would have them', () => {
    // The body that kubectl 1.37 sends for `kubectl create configmap a --from-literal=x=y`.
    const sent =
      '6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a01611200' +
      '1a0022002a00320038004200' +
      '12060a01781201791a002200'
    expect(decodeProtobuf(Buffer.from(sent, 'hex'))).to.deep.equal({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a' },
      data: { x: 'y' },
    })
  })

  it('in protobuf keep what a zero means, and what is inline in JSON', () => {
    // A Deployment without replicas as client-go 0.37 encodes it, and a release that helm stores.
    const deployment =
      '6b3873000a150a07617070732f7631120a4465706c6f796d656e7412f4010a1f0a0377656212001a0022002a003200380042' +
      '005a0a0a03617070120377656212c2010800120c0a0a0a0361707012037765621aa7010a1c0a0012001a0022002a00320038' +
      '0042005a0a0a0361707012037765621286010a090a0176120412020a00125a0a046d61696e1201782a00320a0a0010001850' +
      '22002a00420f0a0d0a0363707512060a043530306d52200a1412120a00120a080110001a04687474701a0022001000180020' +
      '00280030006a007200800100880100900100a201001a00320042004a0052005800600068008201008a01009a0100a80100c2' +
      '010022020a00280038001a0c0800100018002000280038001a002200'
    const container = {
      name: 'main',
      image: 'x',
      ports: [{ containerPort: 80, hostPort: 0 }],
      resources: { limits: { cpu: '500m' } },
      livenessProbe: { httpGet: { port: 'http' } },
    }
    const decoded = decodeProtobuf(Buffer.from(deployment, 'hex'))
    expect(decoded).to.deep.include({ apiVersion: 'apps/v1', kind: 'Deployment' })
    expect(at(decoded, 'spec', 'replicas')).to.equal(0)
    expect(at(decoded, 'spec', 'template', 'spec')).to.deep.include({
      automountServiceAccountToken: false,
      volumes: [{ name: 'v', emptyDir: {} }],
    })
    expect(at(decoded, 'spec', 'template', 'spec', 'containers', 0)).to.deep.include(container)
    const secret =
      '6b3873000a0c0a0276311206536563726574124f0a270a1773682e68656c6d2e72656c656173652e76312e782e763112001a' +
      '0022002a0032003800420012100a0772656c65617365120562797465731a1268656c6d2e73682f72656c656173652e76311a' +
      '002200'
    expect(decodeProtobuf(Buffer.from(secret, 'hex'))).to.deep.equal({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'sh.helm.release.v1.x.v1' },
      type: 'helm.sh/release.v1',
      data: { release: Buffer.from('bytes').toString('base64') },
    })
  })

  it('in protobuf that end too early, or are something else, are refused', () => {
    const whole = Buffer.from('6b3873000a0f0a0276311209436f6e6669674d6170121b0a110a0161', 'hex')
    for (const bytes of [whole, Buffer.from('{}'), Buffer.from('6b387300', 'hex')])
      expect(() => decodeProtobuf(bytes)).to.throw(ProtobufError)
  })
})
