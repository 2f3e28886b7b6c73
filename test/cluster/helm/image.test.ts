import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ensureVarmorImage, missingForImages, rebuiltDigest } from '../binaries/varmor-image.ts'
import { explain } from '../requirements.ts'
import { printSteps } from '../steps.ts'
import { chart } from './helm.ts'
import { type UnpackedImage, unpackImage } from './unpacked-image.ts'

const version = /^appVersion: (.+)$/m.exec(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))![1]!
const missing = missingForImages().map((what) => ({ what, remedy: 'run .ci/setup' }))
const title = 'The image'

/** Maximum size of the unpacked image in megabytes. */
const largest = 250

if (missing.length > 0)
  describe.skip(`${title} (${explain('images', missing)})`, () => it('is the same one when it is built again'))
else
  describe(title, () => {
    let image: UnpackedImage
    before(async () => {
      image = await unpackImage((await ensureVarmorImage(version, printSteps)).archive)
    })
    after(() => image?.remove())

    it(`has ${largest} MB at most`, () => {
      const megabytes = image.bytes / 1e6
      console.log(`      ${megabytes.toFixed(1)} MB, unpacked`)
      expect(megabytes).to.be.at.most(largest)
    })

    it('has what the roles need, and no compiler, sandbox, test, package manager of Node.js, nor source', () => {
      const needed = ['varmor.js', 'LICENSE', 'LICENSE.node', 'native/bpf/build/varmor.bpf.o', 'sbom.cdx.json']
      expect([...image.paths]).to.include.members([
        ...needed.map((name) => `usr/lib/varmor/${name}`),
        ...['usr/bin/node', 'usr/bin/varmor', 'usr/sbin/apparmor_parser'],
      ])
      const unwanted =
        /(^|\/)(gcc|g\+\+|cc|clang|make|npm|python3?|node_modules|sandbox|test)(-[\d.]+)?(\/|$)|varmor\/.*\.(ts|c|h)$/
      expect([...image.paths].filter((path) => unwanted.test(path) && !/^(usr\/share|etc)\//.test(path))).to.deep.equal(
        ['usr/bin/test'],
      )
    })

    it('runs as a user without a name, and labels itself', () => {
      expect(image.config.User).to.equal('10001:10001')
      const label = 'org.opencontainers.image'
      expect(image.config.Labels).to.include({ [`${label}.title`]: 'vArmor', [`${label}.version`]: version })
      expect(image.config.Labels).to.include.keys(`${label}.revision`, `${label}.source`, `${label}.licenses`)
    })

    it('lists each package of Debian, each of npm in its bundles, and Node.js, with their versions', async () => {
      const { bomFormat, components } = JSON.parse(await image.read('usr/lib/varmor/sbom.cdx.json')) as {
        bomFormat: string
        components: { name: string; version: string; purl: string }[]
      }
      expect(bomFormat).to.equal('CycloneDX')
      const listed = (kind: string): string[] =>
        components.filter(({ purl }) => purl.startsWith(`pkg:${kind}`)).map((one) => `${one.name}@${one.version}`)
      const status = await image.read('var/lib/dpkg/status')
      const installed = [...status.matchAll(/^Package: (.*)\n(?:[^\n]+\n)*?Version: (.*)$/gm)]
      expect(listed('deb/debian/')).to.have.members(installed.map(([, name, of]) => `${name}@${of}`))
      const { bundled } = JSON.parse(await image.read('usr/lib/varmor/package.json')) as { bundled: string[] }
      const [node, ...more] = listed('npm/').filter((name) => !bundled.includes(name))
      expect(more).to.deep.equal([])
      expect(node).to.match(/^node@\d+\.\d+\.\d+$/)
      expect(listed('npm/')).to.include.members(bundled)
    })

    it('is the same one when it is built again', async () => {
      const { digest } = await ensureVarmorImage(version, printSteps)
      expect(await rebuiltDigest(version, printSteps)).to.equal(digest)
    })
  })
