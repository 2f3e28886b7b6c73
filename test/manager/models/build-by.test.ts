import { expect } from 'chai'
import { CompilerError, type CompilerErrorCode, type Compilers } from '../../../actors/compiler/ports.ts'
import { buildProfile } from '../../../actors/model/build-profile.ts'
import { PortError } from '../../../actors/ports.ts'
import type { DynamicResult, Profile } from '../../../src/api/types.ts'
import { buildBy } from '../../../src/manager/models/build-by.ts'

const profile = { name: 'varmor-demo-web', enforcer: 'AppArmor' } as Profile
const recorded: DynamicResult = {
  appArmor: { files: [{ path: '/tmp/tmp.aB3dE9xQzZ', permissions: ['r'] }] },
}

const compilers = { run: async (_: string, input: Parameters<typeof buildProfile>) => buildProfile(...input) }
const failing = (code: CompilerErrorCode) => ({ run: () => Promise.reject(new CompilerError(code, `it is ${code}`)) })

const build = (by: object, generalise = true) => buildBy(by as Compilers, generalise)(recorded, profile, 'demo')

describe('the profile of a model', () => {
  it('has patterns in place of names that vary, unless managers are to make none', async () => {
    const pathsOf = async (generalise: boolean) => {
      const built = await build(compilers, generalise)
      return built.ok && built.result.appArmor?.files?.map(({ path }) => path)
    }
    expect(await pathsOf(true)).to.deep.equal(['/tmp/tmp.*'])
    expect(await pathsOf(false)).to.deep.equal(['/tmp/tmp.aB3dE9xQzZ'])
  })

  it('that takes too long is a problem of the model; compilers that are busy are asked again', async () => {
    const built = await build(failing('TOO_COSTLY'))
    expect(built.ok ? '' : built.problem).to.match(/^TOO_COSTLY: .*not retried automatically.*delete the model/)
    for (const code of ['BUSY', 'STOPPED'] as const) {
      const error = await build(failing(code)).catch((thrown: unknown) => thrown)
      expect(error).to.be.instanceOf(PortError).and.to.include({ code: 'UNAVAILABLE' })
    }
  })
})
