import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { ensureHelm } from '../binaries/helm.ts'
import { missingForImages, type ReleaseInputs, releaseInputs } from '../binaries/varmor-image.ts'
import { type CommandResult, output, probe, result } from '../command.ts'
import { explain } from '../requirements.ts'
import { printSteps } from '../steps.ts'
import { LocalRegistry } from './local-registry.ts'

const project = join(import.meta.dirname, '..', '..', '..')
const title = '`make release`'
const missing = [
  ...missingForImages(),
  ...(probe('docker-registry', '--version') === undefined ? ['docker-registry'] : []),
].map((what) => ({ what, remedy: 'run .ci/setup with CI=true, or: apt-get install docker-registry' }))

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

if (missing.length > 0) describe.skip(`${title} (${explain('a registry', missing)})`, () => it('publishes a version'))
else
  describe(title, function () {
    this.bail(true)
    const folder = mkdtempSync(join(tmpdir(), 'varmor-release-test-'))
    const repository = join(folder, 'repository')
    const registry = new LocalRegistry()
    let inputs: ReleaseInputs
    let helm: string
    let version: string
    let results: string

    const git = (...args: string[]): Promise<string> => output('git', args, { cwd: repository })
    const read = (name: string): Buffer => readFileSync(join(results, name))

    /** Runs the command of the target, without its set-up of node_modules, which the project has. */
    async function release(values: Record<string, string>, env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
      const all = { VERSION: version, REGISTRY: `${registry.host}/acme`, BASE: inputs.base, SKIP_TESTS: '1', ...values }
      const settings = Object.entries(all).map(([name, value]) => `${name}=${value}`)
      const dry = await output('make', ['--dry-run', 'release', ...settings], { cwd: repository })
      const command = dry.slice(dry.indexOf('node --import tsx deploy/release/release.ts'))
      const path = [env['PATH'], dirname(helm), process.env['PATH']].filter((part) => part !== undefined).join(':')
      const environment = { ...process.env, REGISTRY_AUTH_FILE: registry.authFile, ...inputs.env, ...env, PATH: path }
      return result('sh', ['-c', command], { cwd: repository, env: environment })
    }
    const flags = (): Record<string, string> => ({
      KEY: join(folder, 'key.pem'),
      BUILD_FLAGS: inputs.flags.join(' '),
      BUILDER: 'https://example.org/runner',
    })

    before(async () => {
      inputs = await releaseInputs(printSteps)
      helm = await ensureHelm(4, printSteps)
      await registry.start()
      await output('git', ['clone', '--quiet', '--no-checkout', project, repository])
      await git(
        'checkout',
        '--quiet',
        '-B',
        'main',
        (await output('git', ['rev-parse', 'HEAD'], { cwd: project })).trim(),
      )
      await git('remote', 'set-url', 'origin', 'git@git.example.org:acme/varmor.git')
      await git('config', 'user.name', 'A maintainer')
      await git('config', 'user.email', 'maintainer@example.org')
      symlinkSync(join(project, 'node_modules'), join(repository, 'node_modules'))
      const changelog = join(repository, 'CHANGELOG.md')
      const entry = '## Unreleased\n\n### Added\n\n- A release on the loopback.\n'
      writeFileSync(changelog, readFileSync(changelog, 'utf8').replace(/^## \[?Unreleased\]?.*\n/im, entry))
      await git('commit', '--quiet', '--all', '-m', 'changelog: add an entry')
      const present = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')).version as string
      version = `${Number(present.split('.')[0]) + 1}.0.0-rc.1`
      results = join(repository, 'dist/release', version)
      await output('openssl', [
        'genpkey',
        '-algorithm',
        'EC',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-out',
        flags()['KEY']!,
      ])
    })
    after(async () => {
      await registry.end()
      rmSync(folder, { recursive: true })
    })

    const state = async () => [await git('rev-parse', 'HEAD'), await git('status', '--porcelain'), await git('tag')]
    const unchanged = async (action: () => Promise<CommandResult>): Promise<CommandResult> => {
      const before = await state()
      const ended = await action()
      expect(ended.status, ended.stderr + ended.stdout).to.equal(1)
      expect(await state()).to.deep.equal(before)
      expect((await git('worktree', 'list')).trim().split('\n')).to.have.length(1)
      return ended
    }

    it('names all reasons at once for which it does not start', async () => {
      writeFileSync(join(repository, 'new-file'), '')
      const wrong = { VERSION: '0.0.1', BASE: 'debian:trixie', KEY: join(folder, 'none.pem') }
      const { stderr } = await unchanged(() => release(wrong, { REGISTRY_AUTH_FILE: join(folder, 'none.json') }))
      rmSync(join(repository, 'new-file'))
      for (const reason of [
        /Nothing is released, and nothing has changed/,
        /0\.0\.1 is not greater than/,
        /the tree has changes.*new-file/,
        /BASE: "debian:trixie" is not IMAGE@sha256/,
        /KEY: .*none\.pem/,
      ])
        expect(stderr).to.match(reason)
    })

    it('asks for a login where the registry demands one', async () => {
      writeFileSync(join(folder, 'empty.json'), '{}')
      const env = { REGISTRY_AUTH_FILE: join(folder, 'empty.json') }
      const { stderr } = await unchanged(() => release({}, env))
      expect(stderr).to.include(`log in: buildah login ${registry.host}`)
    })

    it('leaves the branch as it was when a push fails', async () => {
      const fake = join(folder, 'bin')
      mkdirSync(fake)
      const script = `#!/bin/sh\n[ "$1" = push ] && { echo no space left >&2; exit 1; }\nexec ${helm} "$@"\n`
      writeFileSync(join(fake, 'helm'), script)
      chmodSync(join(fake, 'helm'), 0o755)
      const { stderr } = await unchanged(() => release(flags(), { PATH: fake }))
      expect(stderr, stderr)
        .to.match(/the registry may have a part of it.*REPLACE=1/)
        .and.include('no space left')
    })

    it('does not overwrite what a registry has, unless it is told to', async () => {
      const { stderr } = await unchanged(() => release(flags()))
      expect(stderr).to.match(/acme\/varmor:\S+ exists; .*REPLACE=1/)
      const { status, stdout, stderr: errors } = await release({ ...flags(), REPLACE: '1' })
      expect(status, errors + stdout).to.equal(0)
      expect(stdout).to.include(`git push --atomic origin main v${version}`)
    })

    it('gives the branch a commit with the version and a tag with the notes', async () => {
      expect((await git('log', '-1', '--format=%s')).trim()).to.equal(`release: ${version}`)
      expect((await git('rev-list', '-1', `v${version}`)).trim()).to.equal((await git('rev-parse', 'main')).trim())
      expect(await git('tag', '--list', '--format=%(contents)', `v${version}`)).to.match(
        /^vArmor .*\n\n### Added\n\n- A release on the loopback\./,
      )
      expect(await git('status', '--porcelain')).to.equal('')
      const chart = readFileSync(join(repository, 'deploy/helm/varmor/Chart.yaml'), 'utf8')
      expect(chart).to.include(`\nversion: ${version}\nappVersion: ${version}\n`)
      expect(readFileSync(join(repository, 'CHANGELOG.md'), 'utf8')).to.include(`/compare/v${version}...HEAD`)
    })

    it('gives files whose checksums and signature a user can verify', async () => {
      const files = await output('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: results })
      expect(files.match(/: OK$/gm)).to.have.length(5)
      writeFileSync(join(folder, 'sums.sig'), Buffer.from(read('SHA256SUMS.sig').toString(), 'base64'))
      await output('openssl', [
        ...['dgst', '-sha256', '-verify', join(results, 'varmor.pub')],
        ...['-signature', join(folder, 'sums.sig'), join(results, 'SHA256SUMS')],
      ])
      const { bomFormat, components } = JSON.parse(read('sbom.cdx.json').toString())
      expect(bomFormat).to.equal('CycloneDX')
      expect(components.map(({ name }: { name: string }) => name)).to.include.members(['pino', 'apparmor', 'node'])
    })

    it('says in the provenance which commit, base and registry the products come from', async () => {
      const { subject, predicate } = JSON.parse(read('provenance.json').toString())
      const images = read('images').toString().trim().split('\n')
      expect(images).to.deep.equal(
        subject.slice(0, 2).map((one: { name: string; digest: { sha256: string } }) => {
          return `${one.name}:${version}@sha256:${one.digest.sha256}`
        }),
      )
      const [source] = predicate.buildDefinition.resolvedDependencies
      expect(source.uri).to.equal(`git+https://git.example.org/acme/varmor@refs/tags/v${version}`)
      expect(source.digest.gitCommit).to.equal((await git('rev-parse', 'main')).trim())
      expect(predicate.runDetails.builder.id).to.equal('https://example.org/runner')
    })

    it('pushes an image that labels itself, and signatures of the image and the chart in the form of cosign', async () => {
      for (const line of read('images').toString().trim().split('\n')) {
        const [, repositoryName = '', digest = ''] = /^[^/]+\/(\S+):[^:@]+@(sha256:\S+)$/.exec(line) ?? []
        expect(`sha256:${sha256(await registry.get(`${repositoryName}/manifests/${version}`))}`).to.equal(digest)
        const tag = `${digest.replace(':', '-')}.sig`
        const { layers } = JSON.parse((await registry.get(`${repositoryName}/manifests/${tag}`)).toString())
        const payload = await registry.get(`${repositoryName}/blobs/${layers[0].digest}`)
        expect(JSON.parse(payload.toString()).critical).to.deep.include({
          identity: { 'docker-reference': `${registry.host}/${repositoryName}` },
          image: { 'docker-manifest-digest': digest },
        })
        writeFileSync(join(folder, 'payload'), payload)
        const signature = layers[0].annotations['dev.cosignproject.cosign/signature']
        writeFileSync(join(folder, 'payload.sig'), Buffer.from(signature, 'base64'))
        await output('openssl', [
          ...['dgst', '-sha256', '-verify', join(results, 'varmor.pub')],
          ...['-signature', join(folder, 'payload.sig'), join(folder, 'payload')],
        ])
      }
      const { config } = JSON.parse((await registry.get(`acme/varmor/manifests/${version}`)).toString())
      const image = JSON.parse((await registry.get(`acme/varmor/blobs/${config.digest}`)).toString())
      const label = 'org.opencontainers.image'
      expect(image.config.Labels).to.include({
        [`${label}.version`]: version,
        [`${label}.revision`]: (await git('rev-parse', 'main')).trim(),
        [`${label}.source`]: 'https://git.example.org/acme/varmor',
      })
    })

    it('pushes a chart that installs the image by its digest', async () => {
      const pulled = join(folder, 'pulled')
      mkdirSync(pulled)
      const flags = ['--plain-http', '--registry-config', registry.authFile]
      const chart = `oci://${registry.host}/acme/charts/varmor`
      await output(helm, ['pull', chart, '--version', version, '--destination', pulled, ...flags])
      expect(readFileSync(join(pulled, `varmor-${version}.tgz`))).to.deep.equal(read(`varmor-${version}.tgz`))
      const digest = /varmor@(\S+)|varmor:\S+@(\S+)/.exec(read('images').toString())![2]!
      const rendered = await output(helm, ['template', 'varmor', join(pulled, `varmor-${version}.tgz`), '-n', 'varmor'])
      const images = [...rendered.matchAll(/\bimage: "?([^"\s]+)/g)].map(([, name]) => name)
      expect(new Set(images)).to.deep.equal(new Set([`${registry.host}/acme/varmor@${digest}`]))
      expect(await output(helm, ['show', 'chart', join(pulled, `varmor-${version}.tgz`)])).to.match(
        /sources:\n- https:\/\/git\.example\.org\/acme\/varmor\n/,
      )
    })
  })
