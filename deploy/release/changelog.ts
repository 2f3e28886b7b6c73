/** A version that moves from "Unreleased" to its own section of CHANGELOG.md. */
export interface ChangelogRelease {
  version: string
  /** The day of the release, such as 2026-12-31. */
  date: string
  /** URL of the repository, such as https://github.com/acme/varmor; undefined: the headings get no links. */
  source?: string | undefined
}

interface Parts {
  before: string
  /** Content of the section "Unreleased", without its heading. */
  unreleased: string
  /** The released versions, without the definitions of links. */
  released: string
  /** The link definitions of the versions, one per line. */
  links: string[]
}

const heading = /^## \[?unreleased\]?[^\S\n]*$/im
const versionHeading = /^## \[?(\d+\.\d+\.\d+[^\s\]]*)/m
const versionLink = /^\[(?:unreleased|\d+\.\d+\.\d+[^\]]*)\]: \S+$/gim

function partsOf(text: string): Parts {
  const found = heading.exec(text)
  if (found === null) throw new Error('CHANGELOG.md has no section "Unreleased"; add the heading: ## Unreleased')
  const links = text.match(versionLink) ?? []
  const rest = text.slice(found.index + found[0].length).replace(versionLink, '')
  const next = rest.search(/^## /m)
  const end = next === -1 ? rest.length : next
  return {
    before: text.slice(0, found.index),
    unreleased: rest.slice(0, end).trim(),
    released: rest.slice(end).trim(),
    links,
  }
}

/**
 * The text of the section "Unreleased".
 * @returns '' if the section has no entry
 * @throws if there is no such section
 */
export function unreleasedNotes(changelog: string): string {
  const { unreleased } = partsOf(changelog)
  return /^[-*] /m.test(unreleased) ? unreleased : ''
}

/** Moves the entries of "Unreleased" to a section of the version (see Keep a Changelog), and updates the links. */
export function withRelease(changelog: string, { version, date, source }: ChangelogRelease): string {
  const { before, unreleased, released, links } = partsOf(changelog)
  const name = (title: string): string => (source === undefined ? title : `[${title}]`)
  const headings = `${before}## ${name('Unreleased')}\n\n## ${name(version)} - ${date}`
  const previous = versionHeading.exec(released)?.[1]
  const renewed = source === undefined ? links : linksOf(source, { version, previous, links })
  return `${[headings, unreleased, released, renewed.join('\n')].filter((part) => part !== '').join('\n\n')}\n`
}

function linksOf(
  source: string,
  { version, previous, links }: { version: string; previous: string | undefined; links: readonly string[] },
): string[] {
  const change = previous === undefined ? `releases/tag/v${version}` : `compare/v${previous}...v${version}`
  return [
    `[unreleased]: ${source}/compare/v${version}...HEAD`,
    `[${version}]: ${source}/${change}`,
    ...links.filter((link) => !/^\[unreleased\]/i.test(link)),
  ]
}
