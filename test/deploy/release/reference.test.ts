import { expect } from 'chai'
import {
  chartRepository,
  imageRepository,
  isLoopback,
  parseRegistry,
  type Registry,
  sourceAddress,
} from '../../../deploy/release/reference.ts'

describe('the registry of a release', () => {
  const taken: [string, Registry, string, string][] = [
    ['ghcr.io/acme', { host: 'ghcr.io', path: 'acme' }, 'acme/varmor', 'acme/charts/varmor'],
    ['127.0.0.1:5000', { host: '127.0.0.1:5000', path: '' }, 'varmor', 'charts/varmor'],
    ['[::1]:5000/a', { host: '[::1]:5000', path: 'a' }, 'a/varmor', 'a/charts/varmor'],
    ['localhost/a-b/c_d', { host: 'localhost', path: 'a-b/c_d' }, 'a-b/c_d/varmor', 'a-b/c_d/charts/varmor'],
  ]
  for (const [text, registry, image, chart] of taken)
    it(`is ${text}`, () => {
      expect(parseRegistry(text)).to.deep.equal(registry)
      expect([imageRepository(registry), chartRepository(registry)]).to.deep.equal([image, chart])
    })

  for (const [text, reason] of [
    ['', /is not HOST/],
    ['https://ghcr.io/acme', /is not HOST/],
    ['ghcr.io/acme/', /is not HOST/],
    ['ghcr.io/Acme', /is not HOST/],
    ['ghcr.io/acme:1', /is not HOST/],
    ['ghcr.io/../acme', /is not HOST/],
    ['acme/varmor', /does not start with a host/],
    ['docker.io/acme', /Docker Hub/],
  ] as const)
    it(`is not ${JSON.stringify(text)}`, () => expect(parseRegistry(text)).to.match(reason))

  it('is on this machine only under a loopback address', () => {
    const local = ['localhost', 'localhost:5000', '127.0.0.1', '127.9.9.9:1', '[::1]:5000', '[::1]']
    const remote = ['ghcr.io', '127.0.0.1.example.org', 'localhost.example.org:80', '10.0.0.1:5000', '[::2]:5000']
    expect([...local, ...remote].filter(isLoopback)).to.deep.equal(local)
  })
})

describe('the address of the source', () => {
  for (const remote of [
    'https://example.org/acme/varmor.git',
    'https://user:secret@example.org/acme/varmor',
    'ssh://git@example.org:2222/acme/varmor.git',
    'git@example.org:acme/varmor.git',
  ])
    it(`comes from ${remote}, without its user`, () =>
      expect(sourceAddress(remote)).to.equal('https://example.org/acme/varmor'))

  for (const remote of ['', '/srv/git/varmor.git', '../varmor', 'file:///srv/varmor'])
    it(`does not come from ${JSON.stringify(remote)}`, () => expect(sourceAddress(remote)).to.equal(undefined))
})
