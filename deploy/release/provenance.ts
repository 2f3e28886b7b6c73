/** The inputs and outputs of a release, and the machine that built it. */
export interface Build {
  version: string
  /** URL of the repository, if it has a remote. */
  source?: string | undefined
  /** The commit that the tag of the version names. */
  commit: string
  registry: string
  /** The base image, as `NAME@sha256:…`. */
  base: string
  /** The day of the Debian snapshot, if the build used a snapshot. */
  snapshot?: string | undefined
  /** The built files and images, each with its name and its SHA-256 in hexadecimal digits. */
  products: readonly Product[]
  /** URI of the machine or service that ran the release. */
  builder: string
  /** Versions of the build tools, by name. */
  tools: Readonly<Record<string, string>>
  /** ISO 8601, as are all times here. */
  started: string
  finished: string
}

export interface Product {
  name: string
  sha256: string
}

/** An in-toto statement with the SLSA provenance of a release, version 1. */
export function provenanceOf(build: Build): object {
  const { version, registry, base, snapshot, builder, tools, started, finished } = build
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: build.products.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://varmor.org/release/v1',
        externalParameters: { version, registry, base, ...(snapshot === undefined ? {} : { snapshot }) },
        resolvedDependencies: [sourceOf(build), baseOf(base)],
      },
      runDetails: {
        builder: { id: builder, version: tools },
        metadata: { startedOn: started, finishedOn: finished },
      },
    },
  }
}

function sourceOf({ source, version, commit }: Build): object {
  const digest = { gitCommit: commit }
  return source === undefined ? { name: 'source', digest } : { uri: `git+${source}@refs/tags/v${version}`, digest }
}

/** The package URL (purl) of the base image. */
function baseOf(base: string): object {
  const [tagged = '', digest = ''] = base.split('@')
  const repository = tagged.replace(/:[^:/]*$/, '')
  const name = repository.split('/').at(-1)!
  const uri = `pkg:oci/${name}@${encodeURIComponent(digest)}?repository_url=${encodeURIComponent(repository)}`
  return { uri, digest: { sha256: digest.replace('sha256:', '') } }
}

/** Lines for `sha256sum --check`. */
export const checksumLines = (products: readonly Product[]): string =>
  products.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('')
