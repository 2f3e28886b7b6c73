import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import fc from 'fast-check'
import { Containerd } from '../../../src/agent/containers/containerd.ts'
import type { RuntimeError } from '../../../src/agent/containers/runtime.ts'
import { handlersOf, readFeatures } from '../../../src/agent/containers/seccomp-flags.ts'
import { thrownBy } from '../../enforcer/loader-contract.ts'
import { hostileTexts } from '../../fakes/hostile-json.ts'
import { FakeContainerd, type ShimAnswer } from './fake-containerd.ts'

const LOG = 'SECCOMP_FILTER_FLAG_LOG'
const SPEC_ALLOW = 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'
const features = (flags: unknown, annotations: object = {}): string =>
  JSON.stringify({ ociVersionMin: '1.0.0', linux: { seccomp: { enabled: true, supportedFlags: flags } }, annotations })
const runcVersion = (version: unknown) => ({ 'org.opencontainers.runc.version': version })
const newRunc = features([SPEC_ALLOW, LOG], runcVersion('1.4.0'))
/** The features of Debian 12's runc, whose seccomp part does not mention flags. */
const oldRunc = JSON.stringify({ linux: { seccomp: { enabled: true } }, annotations: runcVersion('1.1.5+ds1') })

const runtime = (more: object = {}) => ({ runtimeType: 'io.containerd.runc.v2', runtimePath: '', ...more })
const withBinary = (BinaryName: unknown, more: object = {}) => runtime({ options: { BinaryName }, ...more })
const config = (runtimes: object): string => JSON.stringify({ containerd: { defaultRuntimeName: 'runc', runtimes } })

describe('the flags that seccomp profiles may have with containerd', () => {
  let fake: FakeContainerd
  let containerd: Containerd
  const asked = async (runtimes: object, answerOf?: FakeContainerd['answerOf']) => {
    fake.config = config(runtimes)
    fake.answerOf = answerOf
    return containerd.seccompReports()
  }
  beforeEach(async () => {
    fake = new FakeContainerd()
    await fake.start()
    containerd = new Containerd({ socket: fake.socket, deadline: 60_000 })
  })
  afterEach(() => {
    containerd.close()
    fake.stop()
  })

  it('are those that each program of each handler takes, which are asked once each', async () => {
    const programs: Record<string, string> = {
      runc: newRunc,
      '/usr/bin/crun': features([LOG], { 'run.oci.crun.version': '1.21' }),
    }
    const runtimes = { runc: runtime(), same: withBinary(''), crun: withBinary('/usr/bin/crun') }
    const answerOf = (binary: string): ShimAnswer => ({ features: programs[binary] })
    expect(await asked(runtimes, answerOf)).to.deep.equal({ flags: [LOG] })
    expect(await asked({ runc: runtime() }, answerOf)).to.deep.equal({ flags: [SPEC_ALLOW, LOG] })
    const shim = 'io.containerd.runc.v2'
    expect(fake.asked).to.deep.equal([
      { path: shim, binary: undefined },
      { path: shim, binary: '/usr/bin/crun' },
      { path: shim, binary: undefined },
    ])
  })

  it('are asked of the shim that the handler names', async () => {
    await asked({ own: runtime({ runtimePath: '/opt/shim' }) }, () => ({ features: newRunc }))
    expect(fake.asked).to.deep.equal([{ path: '/opt/shim', binary: undefined }])
  })

  const good = runtime()
  const answers: [what: string, runtimes: object, answer: ShimAnswer, by: string][] = [
    ['an older runc', { runc: good }, { features: oldRunc }, 'runc 1.1.5+ds1'],
    [
      'a runc whose kernel or libseccomp lacks the flag',
      { runc: good },
      { features: features([SPEC_ALLOW], runcVersion('1.2.0')) },
      'runc 1.2.0',
    ],
    ['a program that does not say its version', { odd: good }, { features: features([]) }, 'runtime handler odd'],
    [
      'a program whose version is no word',
      { odd: good },
      { features: features([], runcVersion('1\n2')) },
      'runtime handler odd',
    ],
    ['a program whose flags are no list', { odd: good }, { features: features(LOG) }, 'runtime handler odd'],
    ['a program that does not know the question', { youki: good }, { features: undefined }, 'runtime handler youki'],
    ['a program that is not there', { gone: good }, { fails: status.UNKNOWN }, 'runtime handler gone'],
    ['an answer that is no JSON', { odd: good }, { features: '{"linux":' }, 'runtime handler odd'],
    [
      'an answer of two mebibytes',
      { odd: good },
      { features: `${newRunc}${' '.repeat(2 ** 21)}` },
      'runtime handler odd',
    ],
    [
      'an answer that is longer than any message',
      { odd: good },
      { features: `${newRunc}${' '.repeat(2 ** 24)}` },
      'runtime handler odd',
    ],
    ['an answer that is no message', { odd: good }, { bytes: Buffer.from([0x22, 0xff, 0xff]) }, 'runtime handler odd'],
    [
      'a runtime that is no OCI one',
      { kata: runtime({ runtimeType: 'io.containerd.kata.v2' }) },
      { features: newRunc },
      'runtime handler kata',
    ],
    [
      'a second handler that is not known',
      { runc: good, gvisor: runtime({ runtimeType: 'io.containerd.runsc.v1' }) },
      { features: newRunc },
      'runtime handler gvisor',
    ],
    ['a program that is named in no clear way', { odd: withBinary(7) }, { features: newRunc }, 'runtime handler odd'],
    [
      'a program that is named twice',
      { odd: runtime({ options: { BinaryName: 'a', binary_name: 'b' } }) },
      { features: newRunc },
      'runtime handler odd',
    ],
    ['options that are none', { odd: runtime({ options: [] }) }, { features: newRunc }, 'runtime handler odd'],
    [
      'a handler whose name is no word',
      { 'a b': runtime({ options: [] }) },
      { features: newRunc },
      'runtime handler (with an invalid name)',
    ],
    [
      'handlers without end',
      Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`r${i}`, good])),
      { features: newRunc },
      'containerd 2.4.2',
    ],
    ['no handlers', {}, { features: newRunc }, 'containerd 2.4.2'],
  ]
  for (const [what, runtimes, answer, by] of answers)
    it(`are none with ${what}, which is named`, async () => {
      const found = await asked(runtimes, () => answer)
      expect(found).to.have.property('by', by)
      expect(found)
        .to.have.property('why')
        .that.contains(by)
        .and.contains('does not report the calls that a filter refuses')
    }).timeout(60_000)

  it('are none with a containerd before 2, which does not ask its shims, or without CRI', async () => {
    fake.version = '1.6.20~ds1'
    expect(await asked({ runc: good })).to.have.property('by', 'containerd 1.6.20~ds1')
    fake.version = '2.4.2'
    fake.config = undefined
    expect(await containerd.seccompReports()).to.have.property('by', 'containerd 2.4.2')
    fake.version = 'x'.repeat(1_000)
    expect(await containerd.seccompReports()).to.have.property('by', 'containerd')
  })

  it('are not known where nothing answers in time', async () => {
    containerd.close()
    containerd = new Containerd({ socket: fake.socket, deadline: 100 })
    const late = (await thrownBy(asked({ runc: good }, () => 'hangs'))) as unknown as RuntimeError
    expect(late).to.include({ name: 'RuntimeError', code: 'DEADLINE_EXCEEDED' })
    fake.stop()
    const away = (await thrownBy(containerd.seccompReports())) as unknown as RuntimeError
    expect(away.name).to.equal('RuntimeError')
  })

  it('are read from anything without a failure, and never made up', () => {
    const valid = { linux: { seccomp: { supportedFlags: [LOG] } }, annotations: runcVersion('1.2.0') }
    const runtimes = { containerd: { runtimes: { runc: runtime({ options: { BinaryName: 'runc' } }) } } }
    fc.assert(
      fc.property(hostileTexts(valid), (text) => {
        const { title, flags } = readFeatures(text, 'handler')
        expect(title).to.match(/^(handler|(runc|crun) [\w.+~:-]{1,40})$/)
        for (const flag of flags) expect(flag).to.be.a('string')
        if (!text.includes(LOG)) expect(flags).to.not.include(LOG)
      }),
    )
    fc.assert(
      fc.property(hostileTexts(runtimes), (text) => {
        for (const handler of handlersOf(text) ?? []) {
          expect(Object.keys(handler)).to.deep.equal(['name', 'type', 'path', 'binary'])
          if (handler.binary !== undefined) expect(handler.binary).to.be.a('string')
        }
      }),
    )
  })

  /** Options as containerd 1.6 and 2.4 encode them, without and with values. */
  const written: [version: string, runtimes: string][] = [
    [
      '1.6',
      '{"other":{"runtimeType":"io.containerd.runc.v2","runtimePath":"","runtimeEngine":"","options":{"BinaryName":"/usr/sbin/runc","SystemdCgroup":true},"baseRuntimeSpec":""},"runc":{"runtimeType":"io.containerd.runc.v2","runtimePath":"","options":null}}',
    ],
    [
      '2.4',
      '{"other":{"runtimeType":"io.containerd.runc.v2","runtimePath":"","options":{"BinaryName":"/usr/sbin/runc","SystemdCgroup":true},"sandboxer":"podsandbox"},"runc":{"runtimeType":"io.containerd.runc.v2","runtimePath":"","options":{"BinaryName":"","CriuImagePath":"","IoGid":0,"Root":"","SystemdCgroup":false}}}',
    ],
  ]
  for (const [version, runtimes] of written)
    it(`are asked of the handlers in the configuration of containerd ${version}`, () => {
      expect(handlersOf(`{"containerd":{"defaultRuntimeName":"runc","runtimes":${runtimes}},"cni":{}}`)).to.deep.equal([
        { name: 'other', type: 'io.containerd.runc.v2', path: '', binary: '/usr/sbin/runc' },
        { name: 'runc', type: 'io.containerd.runc.v2', path: '', binary: '' },
      ])
    })
})
