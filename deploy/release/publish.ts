import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { valuesWithImage } from './chart-values.ts'
import { run } from './command.ts'
import { chartFolder, imageRepository, isLoopback, type Registry } from './reference.ts'

/** What buildah and Helm need to build and publish one version. */
export interface Publication {
  /** The sources, with the version. */
  folder: string
  /** Folder for the files of the release. */
  results: string
  version: string
  commit: string
  source: string | undefined
  registry: Registry
  base: string
  snapshot: string | undefined
  /** Additional flags of `buildah build`, such as `--volume` for a file with certificates. */
  buildFlags: readonly string[]
  /** File with credentials, if there is one. */
  authFile: string | undefined
}

export const sbomFile = 'sbom.cdx.json'
export const chartFile = (version: string): string => `varmor-${version}.tgz`

/** Builds the image, writes its SBOM to the results, and pushes it. @returns the digest of its manifest */
export async function publishImage(publication: Publication): Promise<string> {
  const { folder, results, version, commit, source, registry, base, snapshot, buildFlags } = publication
  const tag = `${registry.host}/${imageRepository(registry)}:${version}`
  // Not as build arguments: buildah takes a label from its cache although the argument in the label has another value.
  const labels = { version, revision: commit, source }
  const args = [
    ...flagsFor('--build-arg', { BASE: base, SNAPSHOT: snapshot }),
    ...flagsFor('--label', prefixed('org.opencontainers.image.', labels)),
  ]
  // With one time for all files, the same sources give the same digest.
  const build = ['build', '--layers', '--timestamp', '0', ...buildFlags, ...args, '-f', 'deploy/Dockerfile']
  await run('buildah', [...build, '-t', tag, '.'], { cwd: folder, show: true })
  await run('buildah', [...build, '--target', 'sbom', '--output', `type=local,dest=${results}`, '.'], { cwd: folder })
  const scratch = mkdtempSync(join(tmpdir(), 'varmor-digest-'))
  try {
    const digest = join(scratch, 'digest')
    const plain = isLoopback(registry.host) ? ['--tls-verify=false'] : []
    const push = ['push', ...plain, '--format', 'oci', '--digestfile', digest, tag, `docker://${tag}`]
    await run('buildah', push, { show: true })
    return readFileSync(digest, 'utf8').trim()
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

type Settings = Record<string, string | undefined>

const flagsFor = (flag: string, settings: Settings): string[] =>
  Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [flag, `${name}=${value}`]))

const prefixed = (prefix: string, settings: Settings): Settings =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [prefix + name, value]))

/** Packages the chart, whose default image is the published image by its digest, and pushes the package. */
export async function publishChart(publication: Publication, imageDigest: string): Promise<void> {
  const { folder, results, version, source, registry, authFile } = publication
  const scratch = mkdtempSync(join(tmpdir(), 'varmor-chart-'))
  try {
    const chart = join(scratch, 'varmor')
    cpSync(join(folder, 'deploy/helm/varmor'), chart, { recursive: true })
    const change = (name: string, edit: (text: string) => string) =>
      writeFileSync(join(chart, name), edit(readFileSync(join(chart, name), 'utf8')))
    change('values.yaml', (text) => valuesWithImage(text, registry, imageDigest))
    if (source !== undefined) change('Chart.yaml', (text) => withSource(text, source))
    await run('helm', ['package', chart, '--destination', results])
    const flags = [
      ...(isLoopback(registry.host) ? ['--plain-http'] : []),
      ...(authFile === undefined ? [] : ['--registry-config', authFile]),
    ]
    const folderOfCharts = `oci://${registry.host}/${chartFolder(registry)}`
    await run('helm', ['push', join(results, chartFile(version)), folderOfCharts, ...flags])
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

function withSource(text: string, source: string): string {
  const document = parseDocument(text)
  document.set('sources', [source])
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}
