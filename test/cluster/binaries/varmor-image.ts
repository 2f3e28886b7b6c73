import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { output, probe } from '../command.ts'
import { registry } from '../helm/helm.ts'
import { measured, type StepLog } from '../steps.ts'
import { cached, cacheRoot } from './cached.ts'

/** Name of the image in the tests' chart values. */
export const varmorImage = `${registry}/varmor`
/** Image of the program that ships violations in tests. */
export const shipperImage = 'docker.io/varmor/shipper:1'

const project = join(import.meta.dirname, '..', '..', '..')
/** The sources of the image; `.dockerignore` leaves out all other files. */
const sources = [
  ...['.dockerignore', '.npmrc', 'LICENSE', 'package.json', 'package-lock.json', 'tsconfig.json'],
  ...['deploy/Dockerfile', 'deploy/image', 'deploy/build-addon.ts', 'deploy/build-bpf.ts', 'deploy/build-bundles.ts'],
  ...['native/addon', 'native/bpf', 'src', 'actors'],
]

const certificates = '/etc/ssl/certs/ca-certificates.crt'

/** Packages that the build needs and this machine lacks. */
export const missingForImages = (): string[] =>
  ['buildah', 'mmdebstrap'].filter((program) => probe(program, '--version') === undefined)

export interface BuiltImage {
  /** Path of the archive for `ctr images import`. */
  archive: string
  /** Digest of the image's manifest, by which a registry identifies the image. */
  digest: string
}

/** What `make release` needs to build on this machine. */
export interface ReleaseInputs {
  base: string
  /** Flags of buildah. */
  flags: string[]
  env: NodeJS.ProcessEnv
}

const isolation = ['--isolation', 'chroot', '--network', 'host']

/** All files of the image's sources, without files that other builds put beside them. */
function sourceFiles(): string[] {
  const below = (path: string): string[] =>
    statSync(join(project, path)).isDirectory()
      ? readdirSync(join(project, path))
          .filter((name) => name !== 'build')
          .flatMap((name) => below(join(path, name)))
      : [path]
  return sources.flatMap(below).sort()
}

/** Builds images without a registry, in a store that keeps layers, because they seldom change. */
class Builder {
  readonly #log: StepLog
  readonly #store: string

  constructor(log: StepLog, store = join(cacheRoot(), 'image-store')) {
    this.#log = log
    this.#store = store
    mkdirSync(store, { recursive: true })
  }

  /** Debian 13, built from its packages, as small as its slim image. */
  async base(): Promise<string> {
    const name = 'localhost/varmor-base'
    const known = await this.#byDigest(name)
    if (known !== undefined) return known
    const archive = join(this.#store, 'base.tar')
    const leftOut = ['man', 'doc', 'locale', 'info'].map((what) => `--dpkgopt=path-exclude=/usr/share/${what}/*`)
    const options = [
      '--quiet',
      '--variant=minbase',
      '--mode=root',
      '--format=tar',
      '--include=ca-certificates',
      ...leftOut,
    ]
    await measured(this.#log, 'Debian 13', () =>
      output('mmdebstrap', [...options, 'trixie', archive], { env: { ...process.env, SOURCE_DATE_EPOCH: '0' } }),
    )
    const file = join(this.#store, 'Dockerfile')
    writeFileSync(file, 'FROM scratch\nADD base.tar /\n')
    await this.#buildah('bud', '--timestamp', '0', '-f', file, '-t', name, this.#store)
    return (await this.#byDigest(name))!
  }

  /** `name@sha256:…`, the form that the build needs for its base; undefined if the store does not have the image. */
  async #byDigest(name: string): Promise<string | undefined> {
    const format = ['--format', '{{.Name}}@{{.Digest}}', '--filter', `reference=${name}`]
    const [found] = (await this.#buildah('images', ...format)).split('\n').filter((line) => line.startsWith(`${name}@`))
    return found
  }

  /**
   * @param dockerfile its path in the project
   * @param flags additional flags of buildah
   */
  async build(dockerfile: string, tag: string, base: string, ...flags: string[]): Promise<void> {
    const image = [...(await this.#mounts()), '--build-arg', `BASE=${base}`]
    if (dockerfile === 'deploy/Dockerfile') image.push(...(await this.#versions(base)))
    const run = [...isolation, '--layers', '--timestamp', '0', ...flags]
    await this.#buildah('bud', ...run, ...image, '-f', join(project, dockerfile), '-t', tag, project)
  }

  /** What `make release` needs to build on this machine, in the same store. */
  async releaseInputs(): Promise<ReleaseInputs> {
    const base = await this.base()
    const storage = join(this.#store, 'storage.conf')
    const [graph, run] = this.#folders
    writeFileSync(storage, `[storage]\ndriver = "overlay"\ngraphroot = "${graph}"\nrunroot = "${run}"\n`)
    return {
      base,
      flags: [...isolation, ...(await this.#mounts()), ...(await this.#versions(base))],
      env: { CONTAINERS_STORAGE_CONF: storage },
    }
  }

  /** npm in the image uses this machine's registry and trusts this machine's certificates. */
  async #mounts(): Promise<string[]> {
    const npmrc = join(this.#store, 'npmrc')
    const registry = (await output('npm', ['config', 'get', 'registry'])).trim()
    const trusts = existsSync(certificates)
    writeFileSync(npmrc, `registry=${registry}\n${trusts ? 'cafile=/etc/host-certificates\n' : ''}`)
    const mounts = [`${npmrc}:/etc/npmrc:ro`, ...(trusts ? [`${certificates}:/etc/host-certificates:ro`] : [])]
    return mounts.flatMap((mount) => ['--volume', mount])
  }

  /**
   * Replaces the project's package versions by newer ones, if Debian's archive has them.
   * @returns flags of buildah
   */
  async #versions(base: string): Promise<string[]> {
    const [ours, now] = [join(project, 'deploy/image/packages'), join(this.#store, 'packages')]
    rmSync(now, { recursive: true, force: true })
    cpSync(ours, now, { recursive: true })
    const toFolder = ['--target', 'versions', '--output', `type=local,dest=${now}`]
    const flags = [...isolation, '--build-arg', `BASE=${base}`]
    await this.#buildah('bud', ...flags, ...toFolder, '-f', join(project, 'deploy/Dockerfile'), project)
    const architecture = (await output('dpkg', ['--print-architecture'])).trim()
    const linesIn = (folder: string): string[] =>
      ['runtime', 'tools'].flatMap((list) => readFileSync(join(folder, architecture, list), 'utf8').split('\n'))
    const known = existsSync(join(ours, architecture)) ? linesIn(ours) : []
    const others = linesIn(now).filter((line) => !known.includes(line))
    if (others.length === 0) return []
    console.log(`      Debian has other versions than deploy/image/packages/${architecture} now: ${others.join(' ')}`)
    return ['--build-context', `packages=${now}`]
  }

  /** Builds another image on top of an image in an archive. */
  async derive(tag: string, archive: string, commands: readonly string[]): Promise<void> {
    const file = join(this.#store, `Dockerfile-${process.pid}`)
    const run = commands.map((command) => `RUN ${command}`)
    writeFileSync(file, [`FROM oci-archive:${archive}`, 'USER 0:0', ...run, 'USER 10001:10001', ''].join('\n'))
    const flags = ['--isolation', 'chroot', '--timestamp', '0', '--layers']
    await this.#buildah('bud', ...flags, '-f', file, '-t', tag, this.#store)
    rmSync(file)
  }

  /** Writes an image with its name to an archive, and its digest beside the archive. */
  async pack(tag: string, name: string, archive: string): Promise<void> {
    const digest = `${archive}.digest`
    await this.#buildah('push', '--digestfile', digest, tag, `oci-archive:${archive}:${name}`)
  }

  #buildah(command: string, ...args: string[]): Promise<string> {
    const [graph, run] = this.#folders
    const store = ['--root', graph, '--runroot', run, '--storage-driver', 'overlay']
    return output('nice', ['-n', '15', 'buildah', ...store, command, ...args])
  }

  get #folders(): [graph: string, run: string] {
    return [join(this.#store, 'images'), join(this.#store, 'run')]
  }
}

/** Builds the image with `deploy/Dockerfile`, once for the same sources. */
export async function ensureVarmorImage(version: string, log: StepLog): Promise<BuiltImage> {
  const key = createHash('sha256')
    .update(version)
    .update(readFileSync(import.meta.filename))
  for (const path of sourceFiles()) key.update(path).update(readFileSync(join(project, path)))
  const { folder } = await measured(log, 'image of vArmor', () =>
    cached(cacheRoot(), `varmor-image-${key.digest('hex').slice(0, 16)}`, async (draft) => {
      const builder = new Builder(log)
      const base = await builder.base()
      await builder.build('deploy/Dockerfile', 'localhost/varmor-test', base)
      await builder.pack('localhost/varmor-test', `${varmorImage}:${version}`, join(draft, 'image.tar'))
    }),
  )
  return builtImage(folder)
}

/** What `make release` needs to build on this machine, with the layers of the other images. */
export const releaseInputs = (log: StepLog): Promise<ReleaseInputs> => new Builder(log).releaseInputs()

/**
 * Builds again all layers of the image that come from the project's sources.
 * @returns the digest, which must equal the kept image's digest
 */
export async function rebuiltDigest(version: string, log: StepLog): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'varmor-rebuilt-'))
  const builder = new Builder(log)
  const [tag, archive] = ['localhost/varmor-rebuilt', join(folder, 'image.tar')]
  try {
    await measured(log, 'image of vArmor, once more', async () => {
      await builder.build('deploy/Dockerfile', tag, await builder.base(), '--build-arg', `ATTEMPT=${Date.now()}`)
      await builder.pack(tag, `${varmorImage}:${version}`, archive)
    })
    return readFileSync(`${archive}.digest`, 'utf8').trim()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * Builds the image of a later version. It has another version number and another build of the BPF programs, which
 * behave the same. All other layers are those of the current image.
 */
export async function ensureNextVarmorImage(version: string, next: string, log: StepLog): Promise<BuiltImage> {
  const base = await ensureVarmorImage(version, log)
  const key = createHash('sha256').update(base.digest).update(next).update('layout 1').digest('hex').slice(0, 16)
  const { folder } = await measured(log, 'image of the next vArmor', () =>
    cached(cacheRoot(), `varmor-image-next-${key}`, async (draft) => {
      const root = '/usr/lib/varmor'
      const builder = new Builder(log)
      // ELF readers ignore bytes after the end of the file's content.
      const commands = [
        `sed -i 's/"version": *"${version}"/"version": "${next}"/' ${root}/package.json`,
        `for object in ${root}/native/bpf/build/*.bpf.o; do printf next >>$object; done`,
      ]
      await builder.derive(`localhost/varmor-next:${key}`, base.archive, commands)
      await builder.pack(`localhost/varmor-next:${key}`, `${varmorImage}:${next}`, join(draft, 'image.tar'))
    }),
  )
  return builtImage(folder)
}

/** Builds the image of the chart's shipper with `deploy/shipping/Dockerfile`, once for each content of that file. */
export async function ensureShipperImage(log: StepLog): Promise<BuiltImage> {
  const dockerfile = 'deploy/shipping/Dockerfile'
  const key = createHash('sha256').update(shipperImage)
  for (const path of [join(project, dockerfile), import.meta.filename]) key.update(readFileSync(path))
  const { folder } = await measured(log, 'image of the shipper', () =>
    cached(cacheRoot(), `shipper-image-${key.digest('hex').slice(0, 16)}`, async (draft) => {
      const builder = new Builder(log)
      await builder.build(dockerfile, 'localhost/varmor-shipper', await builder.base())
      await builder.pack('localhost/varmor-shipper', shipperImage, join(draft, 'image.tar'))
    }),
  )
  return builtImage(folder)
}

function builtImage(folder: string): BuiltImage {
  const archive = join(folder, 'image.tar')
  return { archive, digest: readFileSync(`${archive}.digest`, 'utf8').trim() }
}
