import { expect } from 'chai'
import { selectRules } from '../../src/profile/selected-rules.ts'

const PATH = 'spec.policy.enhanceProtect'

describe('the rules that a policy selects', () => {
  it('are found by name and alias, in any case, with - or _, each with its place and targets', () => {
    const { rules, errors } = selectRules(
      {
        hardeningRules: ['DISABLE_CAP_NET_RAW', 'disallow-load-ebpf'],
        attackProtectionRules: [{ rules: ['disable-curl'], targets: ['/bin/sh'] }],
        vulMitigationRules: ['dirty_pipe_mitigation'],
      },
      PATH,
    )
    expect(errors).to.deep.equal([])
    expect(rules.map(({ rule, path, targets }) => [rule.name, path, targets])).to.deep.equal([
      ['disable-cap-net-raw', `${PATH}.hardeningRules[0]`, []],
      ['disallow-load-bpf-prog', `${PATH}.hardeningRules[1]`, []],
      ['disable-curl', `${PATH}.attackProtectionRules[0].rules[0]`, ['/bin/sh']],
      ['dirty-pipe-mitigation', `${PATH}.vulMitigationRules[0]`, []],
    ])
  })

  it('come once for the same programs, and again for others', () => {
    const { rules } = selectRules(
      {
        hardeningRules: ['disallow-mount', 'disallow_mount'],
        attackProtectionRules: [
          { rules: ['disable-curl', 'DISABLE-CURL'] },
          { rules: ['disable-curl'], targets: ['/bin/sh', '/bin/dash'] },
          { rules: ['disable-curl'], targets: ['/bin/dash', '/bin/sh'] },
        ],
      },
      PATH,
    )
    expect(rules.map(({ path }) => path.slice(PATH.length + 1))).to.deep.equal([
      'hardeningRules[0]',
      'attackProtectionRules[0].rules[0]',
      'attackProtectionRules[1].rules[0]',
    ])
  })

  it('name what is unknown, with the nearest name, and what stands in the wrong list', () => {
    const { rules, errors } = selectRules(
      { hardeningRules: ['disalow-mount', 'disable-curl', 'disallow-umount'], vulMitigationRules: ['constructor'] },
      PATH,
    )
    expect(rules).to.have.length(1)
    expect(errors.map(({ code }) => code)).to.deep.equal(['UNKNOWN_RULE', 'UNKNOWN_RULE', 'UNKNOWN_RULE'])
    expect(errors[0]).to.include({ path: `${PATH}.hardeningRules[0]`, nearest: 'disallow-mount' })
    expect(errors[1]?.problem).to.match(/belongs in attackProtectionRules/)
    expect(errors[2])
      .to.include({ path: `${PATH}.vulMitigationRules[0]` })
      .and.not.have.property('nearest')
  })
})
