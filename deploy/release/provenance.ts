/** What was built, from what, by whom. */
export interface Build {
  version: string
  /** Address of the repository, if it has a remote. */
  source?: string | undefined
  /** The commit with the tag of the version. */
  commit: string
  registry: string
  /** The base image, as `NAME@sha256:…`. */
  base: string
  /** The day of Debian's archive, if one was asked for. */
  snapshot?: string | undefined
  /** Files and images: a name, and SHA-256 in hexadecimal digits. */
  products: readonly Product[]
  /** Identity of the machine or service that ran the release. */
  builder: string
  /** Programs with their versions. */
  tools: Readonly<Record<string, string>>
  /** Times in the form of ISO 8601. */
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

/** The base image as a package URL. */
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
