import { expect } from 'chai'
import { type Build, checksumLines, provenanceOf } from '../../../deploy/release/provenance.ts'

const hex = (digit: string): string => digit.repeat(64)
const build: Build = {
  version: '1.2.3',
  source: 'https://example.org/acme/varmor',
  commit: 'c'.repeat(40),
  registry: 'ghcr.io/acme',
  base: `docker.io/library/debian:trixie@sha256:${hex('b')}`,
  products: [
    { name: 'ghcr.io/acme/varmor', sha256: hex('1') },
    { name: 'varmor-1.2.3.tgz', sha256: hex('2') },
  ],
  builder: 'https://example.org/runner',
  tools: { buildah: '1.28.2' },
  started: '2026-12-04T10:00:00.000Z',
  finished: '2026-12-04T10:20:00.000Z',
}

describe('the provenance of a release', () => {
  it('is a statement of in-toto with the predicate of SLSA', () => {
    expect(provenanceOf(build)).to.deep.equal({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [
        { name: 'ghcr.io/acme/varmor', digest: { sha256: hex('1') } },
        { name: 'varmor-1.2.3.tgz', digest: { sha256: hex('2') } },
      ],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {
        buildDefinition: {
          buildType: 'https://varmor.org/release/v1',
          externalParameters: { version: '1.2.3', registry: 'ghcr.io/acme', base: build.base },
          resolvedDependencies: [
            { uri: 'git+https://example.org/acme/varmor@refs/tags/v1.2.3', digest: { gitCommit: 'c'.repeat(40) } },
            {
              uri: `pkg:oci/debian@sha256%3A${hex('b')}?repository_url=docker.io%2Flibrary%2Fdebian`,
              digest: { sha256: hex('b') },
            },
          ],
        },
        runDetails: {
          builder: { id: 'https://example.org/runner', version: { buildah: '1.28.2' } },
          metadata: { startedOn: build.started, finishedOn: build.finished },
        },
      },
    })
  })

  it('names the commit alone without an address, and the day of the archive if there is one', () => {
    const text = JSON.stringify(provenanceOf({ ...build, source: undefined, snapshot: '20261202T000000Z' }))
    expect(text).to.include(`{"name":"source","digest":{"gitCommit":"${'c'.repeat(40)}"}}`)
    expect(text).to.include('"snapshot":"20261202T000000Z"')
  })

  it('has checksums in the form of sha256sum', () => {
    expect(checksumLines(build.products.slice(1))).to.equal(`${hex('2')}  varmor-1.2.3.tgz\n`)
  })
})
