/**
 * Publishes a version: tests it, builds the image and the chart, pushes and signs them, and writes the files of the
 * release to dist/release. Then the branch gets the commit of the version, with its tag. `make help` names the usage.
 *    release.ts --release VERSION --registry HOST[/FOLDER] --base IMAGE@sha256:… [--key FILE] [--snapshot TIME]
 *               [--builder URI] [--build-flags FLAGS] [--replace] [--skip-tests]
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { unreleasedNotes } from './changelog.ts'
import { type RepositoryFacts, refusals, tagOf } from './checks.ts'
import { run } from './command.ts'
import { authFile, credentialsFor } from './credentials.ts'
import { sha256 } from './oci.ts'
import { checksumLines, type Product, provenanceOf } from './provenance.ts'
import { chartFile, type Publication, publishChart, publishImage, sbomFile } from './publish.ts'
import { chartRepository, imageRepository, parseRegistry, type Registry } from './reference.ts'
import { RegistryClient } from './registry-client.ts'
import { ReleaseCommit, repositoryFacts, sourceOfRepository } from './repository.ts'
import { publicPem, readSigningKey, signatureImage, signatureOf, signatureTag, signedPayload } from './signature.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const options = {
  release: { type: 'string', default: '' },
  registry: { type: 'string', default: '' },
  base: { type: 'string', default: '' },
  key: { type: 'string', default: '' },
  snapshot: { type: 'string', default: '' },
  builder: { type: 'string', default: '' },
  'build-flags': { type: 'string', default: '' },
  replace: { type: 'boolean', default: false },
  'skip-tests': { type: 'boolean', default: false },
} as const

type Flags = ReturnType<typeof flagsOf>
const flagsOf = () => parseArgs({ options, strict: true }).values
const given = (text: string): string | undefined => (text === '' ? undefined : text)

/** Where a builder without a public address runs. */
const localBuilder = 'urn:varmor:release:local'

/** What a release is made with, after all checks. */
interface Plan {
  flags: Flags
  facts: RepositoryFacts
  registry: Registry
  key: ReturnType<typeof readSigningKey> | undefined
  tools: Record<string, string>
}

const step = (text: string): void => console.log(`== ${text}`)

/** @throws with every reason why the release cannot start */
async function plan(flags: Flags): Promise<Plan> {
  const facts = await repositoryFacts(root)
  const reasons = refusals(flags.release, facts)
  const registry = parseRegistry(flags.registry)
  if (typeof registry === 'string') reasons.push(`REGISTRY: ${registry}`)
  if (!/^[^@\s]+@sha256:[0-9a-f]{64}$/.test(flags.base))
    reasons.push(`BASE: ${JSON.stringify(flags.base)} is not IMAGE@sha256:…, the base image by its digest`)
  const attempt = async <T>(action: () => T | Promise<T>, what = ''): Promise<T | undefined> => {
    try {
      return await action()
    } catch (error) {
      reasons.push(what + (error as Error).message)
      return undefined
    }
  }
  const key = await attempt(
    () => (flags.key === '' ? undefined : readSigningKey(readFileSync(flags.key, 'utf8'))),
    'KEY: ',
  )
  const first = (text: string): string => text.split('\n')[0]!
  const tools = {
    node: process.version,
    git: (await attempt(async () => first(await run('git', ['--version'])))) ?? '',
    buildah: (await attempt(async () => first(await run('buildah', ['--version'])))) ?? '',
    helm: (await attempt(async () => first(await run('helm', ['version', '--short'])))) ?? '',
  }
  await attempt(() => run('git', ['var', 'GIT_COMMITTER_IDENT'], { cwd: root }))
  if (typeof registry !== 'string')
    await attempt(async () => reasons.push(...(await publishedReasons(registry, flags))))
  if (reasons.length > 0 || typeof registry === 'string') throw new Error(reasons.join('\n'))
  return { flags, facts, registry, key, tools }
}

/** Why the registry cannot take this version. @throws if it cannot be asked */
async function publishedReasons(registry: Registry, { release, replace }: Flags): Promise<string[]> {
  const client = new RegistryClient(registry.host, credentialsFor(registry.host))
  const reasons = []
  for (const repository of [imageRepository(registry), chartRepository(registry)]) {
    const known = await client.digest(repository, release)
    if (known !== undefined && !replace)
      reasons.push(
        `${registry.host}/${repository}:${release} exists; choose a later version, or replace what a failed release ` +
          'left behind: REPLACE=1',
      )
  }
  return reasons
}

async function tests({ flags }: Plan): Promise<void> {
  if (flags['skip-tests']) return step('lint and tests are skipped, as SKIP_TESTS demands')
  step('lint and tests')
  await run('make', ['lint', 'test'], { cwd: root, show: true })
}

/** @returns the digests of the image and of the chart */
async function publishAll(publication: Publication, client: RegistryClient) {
  step('image')
  const image = await publishImage(publication)
  step('chart')
  await publishChart(publication, image)
  const chart = await client.digest(chartRepository(publication.registry), publication.version)
  if (chart === undefined) throw new Error('the registry does not have the chart that helm pushed')
  return { image, chart }
}

async function signImages(plan: Plan, client: RegistryClient, digests: Record<string, string>): Promise<void> {
  const { key, registry } = plan
  if (key === undefined) return
  for (const [repository, digest] of Object.entries(digests)) {
    const payload = signedPayload(`${registry.host}/${repository}`, digest)
    await client.push(repository, signatureTag(digest), signatureImage(payload, signatureOf(key, payload)))
  }
}

const remedies = {
  nothing: 'Nothing is released, and nothing has changed:',
  pushed:
    'The release failed. The branch has not changed, but the registry may have a part of it. Repeat with REPLACE=1:',
}

/** @param pushing called before the first push to the registry */
async function release(flags: Flags, pushing: () => void): Promise<void> {
  const started = new Date().toISOString()
  const planned = await plan(flags)
  const { facts, registry, key, tools } = planned
  const version = flags.release
  await tests(planned)

  const results = join(root, 'dist/release', version)
  rmSync(results, { recursive: true, force: true })
  mkdirSync(results, { recursive: true })
  const write = (name: string, text: string): void => writeFileSync(join(results, name), text)

  const source = await sourceOfRepository(root)
  const commit = new ReleaseCommit(root)
  try {
    const notes = unreleasedNotes(facts.changelog)
    const hash = await commit.create({ version, from: facts.version, date: started.slice(0, 10), source })
    const publication: Publication = {
      ...{ folder: commit.folder, results, version, commit: hash, source, registry, base: flags.base },
      snapshot: given(flags.snapshot),
      buildFlags: flags['build-flags'].split(' ').filter((flag) => flag !== ''),
      authFile: authFile(),
    }
    const client = new RegistryClient(registry.host, credentialsFor(registry.host))
    pushing()
    const digests = await publishAll(publication, client)
    const repositories = { [imageRepository(registry)]: digests.image, [chartRepository(registry)]: digests.chart }

    step('provenance, checksums and signatures')
    write('NOTES.md', `${notes}\n`)
    if (key !== undefined) write('varmor.pub', publicPem(key))
    const product = (name: string): Product => ({ name, sha256: sha256(readFileSync(join(results, name))) })
    const files = [chartFile(version), sbomFile]
    const published = Object.entries(repositories).map(([repository, digest]) => ({
      name: `${registry.host}/${repository}`,
      sha256: digest.replace('sha256:', ''),
    }))
    const provenance = provenanceOf({
      ...{ version, source, commit: hash, base: flags.base, snapshot: given(flags.snapshot), tools, started },
      registry: flags.registry,
      products: [...published, ...files.map(product)],
      builder: flags.builder === '' ? localBuilder : flags.builder,
      finished: new Date().toISOString(),
    })
    write('provenance.json', `${JSON.stringify(provenance, null, 2)}\n`)
    write('images', published.map(({ name, sha256: hex }) => `${name}:${version}@sha256:${hex}\n`).join(''))
    const sums = checksumLines([...files, 'provenance.json', 'images', 'NOTES.md'].map(product))
    write('SHA256SUMS', sums)
    if (key !== undefined) write('SHA256SUMS.sig', `${signatureOf(key, sums)}\n`)
    await signImages(planned, client, repositories)
    await commit.publish(version, notes)
  } finally {
    await commit.end()
  }
  step(`released ${version}; its files are in dist/release/${version}`)
  if (key === undefined) console.log('Nothing is signed, because KEY is not set.')
  console.log(`Push the commit and the tag: git push --atomic origin ${facts.branch} ${tagOf(version)}`)
}

let state: keyof typeof remedies = 'nothing'
try {
  await release(flagsOf(), () => {
    state = 'pushed'
  })
} catch (error) {
  console.error(`${remedies[state]}\n${(error as Error).message}`)
  process.exitCode = 1
}
