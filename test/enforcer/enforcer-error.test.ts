import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import {
  EnforcerError,
  type EnforcerErrorCode,
  enforcerErrorCodes,
  ioError,
} from '../../src/enforcer/enforcer-error.ts'

describe('errors of enforcers', () => {
  it('each have a meaning, and are thrown somewhere', () => {
    const files = ['absent', 'ports', 'seccomp', 'apparmor', 'apparmor-parser', 'profile-folder', 'enforcer-error']
    const sources = files.map((file) => readFileSync(new URL(`../../src/enforcer/${file}.ts`, import.meta.url), 'utf8'))
    for (const code of Object.keys(enforcerErrorCodes)) {
      expect(enforcerErrorCodes[code as EnforcerErrorCode].meaning).to.match(/\w{3}/)
      expect(sources.join('\n'), code).to.include(`'${code}'`)
    }
  })

  it('say in one line what failed, why and where', () => {
    const error = new EnforcerError('PROFILE_REJECTED', 'load the AppArmor profile', {
      profile: 'varmor-x',
      line: 3,
      reason: 'syntax error',
    })
    expect(error.reason).to.equal('load the AppArmor profile: syntax error (profile varmor-x, line 3)')
    expect(new EnforcerError('PARSER_FAILED', 'load').reason).to.equal('load: the compiler could not run to its end')
  })

  it('are not made of bugs', () => {
    expect(() => ioError('read', '/x', new TypeError('undefined is not a function'))).to.throw(TypeError)
  })
})
