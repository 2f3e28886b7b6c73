import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../cli/run.ts'

const packages = join(ROOT, 'deploy/image/packages')
const base = `docker.io/library/debian@sha256:${'0'.repeat(64)}`
const lists = ['runtime', 'tools']
const read = (...path: string[]): string => readFileSync(join(packages, ...path), 'utf8')

describe("Debian's packages of the image", () => {
  const architectures = readdirSync(packages).filter((name) => statSync(join(packages, name)).isDirectory())

  it('have each a version, those that the image asks for and what they need', () => {
    expect(architectures).to.include('amd64')
    for (const architecture of architectures)
      for (const list of lists) {
        const lines = read(architecture, list).trimEnd().split('\n')
        for (const line of lines) expect(line).to.match(/^[a-z0-9][a-z0-9.+-]+=[0-9][A-Za-z0-9.+:~-]*$/)
        const names = lines.map((line) => line.split('=')[0])
        expect(names).to.include.members(read(list).trim().split(' '))
      }
  })

  it('are installed by that list alone: no Dockerfile of the image names one', () => {
    const dockerfile = readFileSync(join(ROOT, 'deploy/Dockerfile'), 'utf8')
    expect(dockerfile).not.to.match(/apt-get/)
    for (const list of lists) expect(dockerfile).to.include(`/packages/install ${list}`)
  })

  for (const file of ['deploy/Dockerfile', 'deploy/shipping/Dockerfile'])
    it(`have no base by default in ${file}`, () => {
      expect(readFileSync(join(ROOT, file), 'utf8'))
        .to.match(/^ARG BASE$/m)
        .and.not.to.match(/^ARG BASE=/m)
    })

  describe('as they are installed', () => {
    let folder: string
    const at = (...path: string[]): string => join(folder, ...path)
    const put = (path: string, text: string, mode = 0o644): void => writeFileSync(at(path), text, { mode })
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'varmor-packages-'))
      for (const name of ['bin', 'packages/test', 'apt/sources.list.d']) mkdirSync(at(name), { recursive: true })
      cpSync(join(packages, 'install'), at('packages/install'))
      put('packages/test/runtime', 'one=1\ntwo=2\n')
      put('installed', 'base\n')
      put('more', 'one\ntwo\n')
      // Records its calls, and "installs" the packages in `more`.
      put(
        'bin/apt-get',
        `#!/bin/sh\ncat ${at('apt')}/sources.list.d/* >>${at('sources')} 2>/dev/null\necho "$@" >>${at('asked')}\ncase "$*" in *install*) cat ${at('more')} >>${at('installed')}; exit $(cat ${at('status')} 2>/dev/null || echo 0);; esac\n`,
        0o755,
      )
      put('bin/dpkg', '#!/bin/sh\necho test\n', 0o755)
      put('bin/dpkg-query', `#!/bin/sh\ncat ${at('installed')}\n`, 0o755)
    })
    afterEach(() => rmSync(folder, { recursive: true }))

    const install = (list: string, env: Record<string, string>) =>
      spawnSync('sh', [at('packages/install'), list], {
        env: { PATH: `${at('bin')}:${process.env['PATH']}`, APT_ETC: at('apt'), ...env },
        encoding: 'utf8',
      })

    it('have the versions of the list', () => {
      const { status, stderr } = install('runtime', { BASE: base })
      expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' })
      expect(readFileSync(at('asked'), 'utf8')).to.match(/ install .* one=1 two=2\n/)
    })

    for (const [title, env, list, change, says] of [
      [
        'a base by tag',
        { BASE: 'docker.io/library/debian:trixie-slim' },
        'runtime',
        {},
        /BASE is 'docker.+slim', .+@sha256:…/,
      ],
      ['no base', {}, 'runtime', {}, /BASE is ''/],
      ['a machine without a list', { BASE: base }, 'tools', {}, /no versions for test; make image-packages BASE=/],
      ['a version that is gone', { BASE: base }, 'runtime', { status: '100' }, /any more: give SNAPSHOT/],
      ['a package without a version', { BASE: base }, 'runtime', { more: 'one\ntwo\nthree\n' }, /^three was installed/],
    ] as const)
      it(`are refused with ${title}`, () => {
        for (const [name, text] of Object.entries(change)) put(name, text)
        const { status, stderr } = install(list, env)
        expect(status).not.to.equal(0)
        expect(stderr).to.match(says)
      })

    it('come from a snapshot of the archive where one is named, and the image keeps its sources', () => {
      const sources = [
        'URIs: http://deb.debian.org/debian\nSuites: trixie\n',
        'URIs: http://deb.debian.org/debian-security\n',
        'deb http://deb.debian.org/debian trixie main\n',
      ].join('\n')
      put('apt/sources.list.d/debian.sources', sources)
      expect(install('runtime', { BASE: base, SNAPSHOT: '20261202T000000Z' }).status).to.equal(0)
      const used = readFileSync(at('sources'), 'utf8')
      for (const line of [
        'URIs: http://snapshot.debian.org/archive/debian/20261202T000000Z/\n',
        'URIs: http://snapshot.debian.org/archive/debian-security/20261202T000000Z/\n',
        'deb http://snapshot.debian.org/archive/debian/20261202T000000Z/ trixie main\n',
      ])
        expect(used).to.include(line)
      expect(readFileSync(at('apt/sources.list.d/debian.sources'), 'utf8')).to.equal(sources)
    })
  })
})
