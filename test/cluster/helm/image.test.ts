import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ensureVarmorImage, missingForImages, rebuiltDigest } from '../binaries/varmor-image.ts'
import { explain } from '../requirements.ts'
import { printSteps } from '../steps.ts'
import { chart } from './helm.ts'

const version = /^appVersion: (.+)$/m.exec(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))![1]!
const missing = missingForImages().map((what) => ({ what, remedy: 'run .ci/setup' }))
const title = 'The image'

if (missing.length > 0)
  describe.skip(`${title} (${explain('images', missing)})`, () => it('is the same one when it is built again'))
else
  describe(title, () => {
    it('is the same one when it is built again', async () => {
      const { digest } = await ensureVarmorImage(version, printSteps)
      expect(await rebuiltDigest(version, printSteps)).to.equal(digest)
    })
  })
