import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import fc from 'fast-check'
import { cgroupPathOf, idOfPath } from '../../src/audit/enrich/cgroup-path.ts'
import { compile, hasCompiler } from './c-program.ts'

const [id, other] = ['0123456789abcdef'.repeat(4), 'f'.repeat(64)]

const name = fc.constantFrom(
  ...['kubepods', 'pod1', id, other, `a${id}`, `${id}-x`, `cri-containerd-${id}.scope`, `docker-${other}.scope`],
  ...[`x-${id}.scope.d`, `${other}.scope`, `cri:${id}`, `crio-conmon-${id}.scope`, `conmon:${other}`, `conmon-x-${id}`],
  ...['..', '', 'init.scope', `${id} (deleted)`, `${other}.scope (deleted)`, `a\r${id}`, `-${id.slice(1)}`, '.scope'],
)
const short = fc.array(name, { maxLength: 5 }).map((names) => `/${names.join('/')}`)
/** About the maximum length of a path that the kernel shows. */
const long = fc
  .tuple(short, short, fc.integer({ min: 4090, max: 4100 }))
  .map(([start, end, length]) => `${start}/${'d'.repeat(length - start.length - end.length - 1)}${end}`)
const path = fc.oneof(
  { weight: 10, arbitrary: short },
  { weight: 1, arbitrary: long },
  { weight: 4, arbitrary: fc.constant('/') },
)
const controllers = fc.constantFrom(
  ...['', 'pids', 'memory', 'devices', 'name=systemd', 'misc', 'cpu,cpuacct', 'name=mine', 'devices,misc', 'hugetlb'],
  ...['xpids', 'pid', 'pids,', ',memory', 'name=systemd,pids'],
)
const line = fc.oneof(
  { weight: 20, arbitrary: fc.tuple(fc.nat(13), controllers, path).map((parts) => parts.join(':')) },
  { weight: 1, arbitrary: fc.constantFrom('', ':', '::', 'pids', '4:pids', '4:pids:', '0::', `:pids:/${id}`) },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(':', '/', ',', 'pids', 'misc', id, '-', '.scope', '4') }) },
)
const text = fc
  .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', ''))
  .map(([lines, end]) => lines.join('\n') + end)

describe(`the container that a cgroup names, in C${hasCompiler ? '' : ' (not here: no gcc)'}`, () => {
  before(function () {
    if (!hasCompiler) this.skip()
  })

  function containersOf(texts: readonly string[]): string[] {
    const check = compile('cgroup-path-check', ['cgroup-path.c'], ['-fsanitize=address,undefined'])
    const input = Buffer.from(texts.map((one) => `${one}\0`).join(''), 'latin1')
    const { status, stderr, stdout } = spawnSync(check, { encoding: 'utf8', input })
    expect([status, stderr]).to.deep.equal([0, ''])
    return stdout.split('\n').slice(0, -1)
  }

  const [deep, long4095] = ['d'.repeat(200), `/${'d'.repeat(4095 - 1 - 65)}/${other}`]
  const rows: [what: string, text: string, container: string][] = [
    ['its own group', `0::/kubepods/${id}/${deep}\n`, id],
    ['its own, behind one that it made in a hierarchy of version 1', `9:misc:/${other}\n4:pids:/kubepods/${id}\n`, id],
    ['none, by such a one of a process of the host', `9:misc:/${other}\n4:pids:/user.slice\n0::/${other}\n`, ''],
    ['its own, of version 2 beside one that it made', `1:net_cls:/${other}\n0::/kubepods/${id}\n`, id],
    ['its own, of version 1 beside version 2', `0::/system.slice/${other}\n1:name=systemd:/kubepods/${id}\n`, id],
    ['none, by what watches a container of CRI-O', `0::/kubepods.slice/crio-conmon-${id}.scope\n`, ''],
    ['none, by a name that the kernel has cut', `0::${long4095}\n`, ''],
    ['one at the end of a long path', `0::${long4095.replace('d', '')}\n`, other],
    ['none, of no text', '', ''],
  ]
  for (const [what, one, container] of rows)
    it(`is ${what}`, () => {
      expect(containersOf([one])).to.deep.equal([container])
      expect(idOfPath(cgroupPathOf(one))).to.equal(container)
    })

  it('is the one that the decoder finds, whatever the text', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 100, maxLength: 100 }), (texts) => {
        expect(containersOf(texts)).to.deep.equal(texts.map((one) => idOfPath(cgroupPathOf(one))))
      }),
      { numRuns: 100 },
    )
  })
})
