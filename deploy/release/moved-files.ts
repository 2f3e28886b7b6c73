import { type ChangelogRelease, withRelease } from './changelog.ts'

export interface VersionMove extends ChangelogRelease {
  /** The current version, which the release replaces. */
  from: string
}

type Mover = (text: string, move: VersionMove) => string

/** Every file that contains the version, with the function that writes the next version into it. */
const movers: Record<string, Mover> = {
  'package.json': (text, { version }) => jsonText({ ...JSON.parse(text), version }),
  'package-lock.json': (text, { version }) => {
    const lock = JSON.parse(text) as { packages: Record<string, object> }
    return jsonText({ ...lock, version, packages: { ...lock.packages, '': { ...lock.packages[''], version } } })
  },
  'deploy/helm/varmor/Chart.yaml': (text, { version }) =>
    text.replace(/^(version|appVersion): .*$/gm, `$1: ${version}`),
  'CHANGELOG.md': withRelease,
  'deploy/Dockerfile': mentions,
  'deploy/helm/varmor/README.md': mentions,
  'docs/install.md': mentions,
  'docs/standalone.md': mentions,
}

export const filesWithVersion: readonly string[] = Object.keys(movers)

/** The new text of each file. @throws if a file of `filesWithVersion` is missing in `texts` */
export function movedFiles(texts: Readonly<Record<string, string>>, move: VersionMove): Record<string, string> {
  return Object.fromEntries(
    Object.entries(movers).map(([path, mover]) => {
      const text = texts[path]
      if (text === undefined) throw new Error(`${path} is missing; it has the version`)
      return [path, mover(text, move)]
    }),
  )
}

/** JSON with the layout of npm. */
const jsonText = (value: object): string => `${JSON.stringify(value, null, 2)}\n`

/** Replaces the version in names such as `varmor:1.2.3` and `varmor_1.2.3_amd64.deb`, and in ARG of a Dockerfile. */
function mentions(text: string, { from, version }: VersionMove): string {
  const escaped = from.replaceAll('.', '\\.')
  const mention = new RegExp(`(\\bvarmor[:_]|^ARG VERSION=)${escaped}(?![0-9A-Za-z+-]|\\.\\d)`, 'gm')
  return text.replace(mention, (_, before: string) => before + version)
}
